"""Policies are data: validated, digested, and every failed rule is reported."""

import textwrap
from pathlib import Path

import pytest

from lmflow.corpus.language import Detected
from lmflow.corpus.policy import Failure, decide, decide_all, load
from lmflow.corpus.signals import SIGNALS, measure, measure_all
from lmflow.errors import InputError
from lmflow.samples import corpus

POLICIES = load(["en", "zh"])
PROSE = {
    "de": "Der Stadtrat hat gestern beschlossen, dass die alte Brücke noch vor dem Winter repariert wird. Die "
    "Bewohner haben lange auf diese Nachricht gewartet, denn der Weg durch das Tal ist weit und im "
    "Schnee gefährlich. Die Arbeiten sollen im Mai beginnen und sechs Monate dauern. Die Kosten trägt "
    "das Land, den Rest zahlt die Gemeinde.",
    "fr": "Le conseil municipal a décidé hier que le vieux pont serait réparé avant l'hiver. Les habitants "
    "attendaient cette nouvelle depuis des années, car la route de la vallée est longue et dangereuse "
    "quand il neige. Les travaux commenceront en mai et dureront six mois. La région paiera la plus "
    "grande partie, la commune donnera le reste.",
    "es": "El ayuntamiento decidió ayer que el viejo puente será reparado antes del invierno. Los vecinos "
    "esperaban esta noticia desde hace años, porque el camino por el valle es largo y peligroso cuando "
    "nieva. Las obras empezarán en mayo y durarán seis meses. La provincia pagará la mayor parte y el "
    "municipio pondrá lo que falte.",
    "ru": "Городской совет вчера решил, что старый мост будет отремонтирован до зимы. Жители ждали этой "
    "новости много лет, потому что дорога через долину длинная и опасная, когда идёт снег. Работы "
    "начнутся в мае и продлятся шесть месяцев. Большую часть расходов оплатит область, а остальное "
    "добавит сам город из своего бюджета.",
    "ar": "قرر مجلس المدينة أمس أن الجسر القديم سيتم إصلاحه قبل الشتاء. كان السكان ينتظرون هذا الخبر منذ سنوات "
    "لأن الطريق عبر الوادي طويل وخطير عند تساقط الثلوج. سوف تبدأ الأعمال في شهر مايو وتستمر ستة أشهر. "
    "تدفع المحافظة الجزء الأكبر من التكلفة، بينما تضيف البلدية ما تبقى من المال إلى المشروع.",
    "ja": "市議会は昨日、古い橋を冬までに修理することを決めました。谷を通る道は長く、雪が降ると危ないので、住民"
    "は何年も前からこの知らせを待っていました。工事は五月に始まり、半年ほど続く予定です。費用の大部分は県"
    "が払い、残りは町が負担します。",
}


def failed(text: str, lang: str, source: str, score: float = 0.95) -> list[Failure]:
    signals = measure(text, POLICIES.traits(lang), score)
    return decide(Detected(lang, score), signals, source, POLICIES)


def test_a_document_built_to_fail_five_rules_shows_five() -> None:
    text = "\n".join(["- 12 34 56 ##"] * 10)
    rules = {failure.rule: failure for failure in failed(text, "en", "news")}
    assert {"few_letters", "no_stop_words", "hash_signs", "bullet_lines", "duplicate_lines"} <= rules.keys()
    assert rules["duplicate_lines"] == Failure("duplicate_lines", 0.9, 0.3)
    assert rules["few_letters"].value == 0.0 and rules["few_letters"].threshold == 0.8


def test_what_is_too_short_for_an_article_is_long_enough_for_a_review() -> None:
    review = "房间很干净，服务员也热情，下次还会来住。"
    assert failed(review, "zh", "social") == []
    assert [failure.rule for failure in failed(review, "zh", "file")] == ["too_few_words", "few_sentences"]
    assert failed("Great phone, and the camera is lovely", "en", "social") == []


def test_a_language_that_is_not_wanted_breaks_the_language_rule_and_others_still_count() -> None:
    rules = [failure.rule for failure in failed("Kurz und knapp.", "de", "news")]
    assert rules[0] == "language" and "too_few_words" in rules


def test_the_digest_changes_with_any_threshold_and_with_the_languages(tmp_path: Path) -> None:
    text = (Path(load.__code__.co_filename).parent / "policies/en.yaml").read_text(encoding="utf-8")
    (tmp_path / "en.yaml").write_text(text.replace("at_least: 50}", "at_least: 51}"), encoding="utf-8")
    changed = load(["en", "zh"], tmp_path)
    assert changed.of("en").digest != POLICIES.of("en").digest
    assert changed.of("zh").digest == POLICIES.of("zh").digest
    assert len({changed.digest, POLICIES.digest, load(["en"]).digest}) == 3
    assert load(["zh", "en"]).digest == POLICIES.digest


@pytest.mark.parametrize("lang", ["de", "fr", "es", "ru", "ar", "ja"])
def test_prose_passes_the_policy_of_its_language_and_breaks_that_of_another(lang: str) -> None:
    policies = load([lang])
    signals = measure(PROSE[lang], policies.traits(lang), 0.95)
    assert decide(Detected(lang, 0.95), signals, "news", policies) == []
    foreign = measure(PROSE["ar" if lang != "ar" else "ru"], policies.traits(lang), 0.95)
    assert "no_stop_words" in {failure.rule for failure in decide(Detected(lang, 0.95), foreign, "news", policies)}


def test_a_language_without_a_file_has_the_default_policy() -> None:
    policies = load(["pl"])
    text = "Rada miasta postanowiła wczoraj, że stary most zostanie wyremontowany przed zimą. " * 1 + (
        "Mieszkańcy czekali na tę wiadomość od lat, bo droga przez dolinę jest długa i niebezpieczna. "
        "Prace mają ruszyć w maju i potrwać pół roku. Koszt pokryje województwo, a resztę doda gmina."
    )
    signals = measure(text, policies.traits("pl"), 0.95)
    assert policies.of("pl").language == "default"
    assert decide(Detected("pl", 0.95), signals, "news", policies) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("language: xx\nterminal_punctuation: .\nrules: {a: {signal: n_wrods, at_least: 1}}", "no signal 'n_wrods'"),
        ("language: xx\nterminal_punctuation: .\nrules: {a: {signal: n_words}}", "at_least or at_most"),
        ("language: xx\nterminal_punctuation: .\nrules: {}\nsources: {blog: {}}", "no kind of source 'blog'"),
        ("language: xx\nterminal_punctuation: .\nrules: {}\nsources: {news: {a: null}}", "do not exist: a"),
        ("language: xx\nterminal_punctuation: .\nrules: {}\nextra: 1", "extra"),
        ("language: yy\nterminal_punctuation: .\nrules: {}", "xx.yaml"),
        ("language: [", "xx.yaml"),
    ],
)
def test_a_bad_policy_is_refused_in_one_line_that_names_file_and_key(
    tmp_path: Path, content: str, complaint: str
) -> None:
    (tmp_path / "xx.yaml").write_text(content)
    with pytest.raises(InputError) as caught:
        load(["en"], tmp_path)
    assert complaint in str(caught.value) and "xx.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_without_policies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no policy"):
        load(["en"], tmp_path)


def test_many_documents_are_decided_as_each_alone() -> None:
    policies = load([*PROSE, "en"])
    texts = [*PROSE.values(), "short", "# " * 80, "", "word " * 300, "Buy {now}! " * 20]
    detected = [Detected(lang, 0.9) for lang in (*PROSE, "zh", "xx", "en", "en", "de")]
    sources = ["news", "social", "wikipedia", "file", "elsewhere"] * 3
    signals = measure_all(texts, [policies.traits(its.lang) for its in detected], [0.9] * len(texts))
    together = decide_all(detected, signals, [{}] * len(texts), sources[: len(texts)], policies)
    for its, row, source, failures in zip(detected, signals.tolist(), sources, together, strict=False):
        assert failures == decide(its, dict(zip(SIGNALS, row, strict=True)), source, policies)
    assert any(together) and not all(together)


def test_lines_wrapped_by_hand_are_read_as_the_same_sentences() -> None:
    paragraphs = [one.paragraphs for one in corpus.lee_articles()[:60]]
    dropped = [bool(failed("\n".join(its), "en", "file")) for its in paragraphs]
    wrapped = [bool(failed("\n".join(textwrap.fill(one, 72) for one in its), "en", "file")) for its in paragraphs]
    assert sum(dropped) <= 1 and sum(wrapped) <= 2  # where five sentences in finished lines are asked for: 7 and 39


@pytest.mark.parametrize(
    ("text", "lang", "source", "rule"),
    [
        (
            "BUY THE BEST WATCHES NOW! THE OFFER IS FOR YOU AND IT ENDS TODAY. CALL US AND SAVE. " * 4,
            "en",
            "news",
            "capitals",
        ),
        (
            "We value your privacy.\nWe and our partners use cookies.\nAccept all cookies",
            "en",
            "news",
            "boilerplate_lines",
        ),
        ("Wir verwenden Cookies.\nDatenschutzerklärung\nMehr", "de", "news", "boilerplate_lines"),
        ("Мы используем файлы cookie.\nПолитика конфиденциальности\nДалее", "ru", "news", "boilerplate_lines"),
        ("本网站使用Cookie。\n隐私政策\n同意", "zh", "news", "boilerplate_lines"),
    ],
)
def test_advertising_and_consent_banners_are_seen(text: str, lang: str, source: str, rule: str) -> None:
    assert rule in [its.rule for its in failed(text, lang, source)]


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("Loving the weather in London today #sunshine", "en"),
        ("#今天吃什么# 中午做了西红柿炒鸡蛋，味道很不错。", "zh"),
        ("A good read on how the old bridge was built: https://example.org/bridges/old", "en"),
    ],
)
def test_ordinary_posts_are_kept(text: str, lang: str) -> None:
    assert failed(text, lang, "social") == []


def test_a_greeting_in_arabic_is_kept() -> None:
    text = "الجو جميل اليوم والحمد لله رب العالمين"
    assert [its.rule for its in failed(text, "ar", "social")] == ["language"]  # not among the wanted ones here
