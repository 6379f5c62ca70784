"""What a page says about itself, in its edition's words: categories, other languages, disambiguation, redirects."""

import pytest

from lmflow.extract.wikitext import plain
from lmflow.extract.wikitext.redirects import redirect_target

#: (edition, name of its namespace of categories, redirect word, notice of a disambiguation page)
EDITIONS = [
    ("en", "Category", "#REDIRECT", "{{disambiguation}}"),
    ("simple", "Category", "#REDIRECT", "{{disambig}}"),
    ("de", "Kategorie", "#WEITERLEITUNG", "{{Begriffsklärung}}"),
    ("fr", "Catégorie", "#REDIRECTION", "{{homonymie}}"),
    ("es", "Categoría", "#REDIRECCIÓN", "{{desambiguación}}"),
    ("it", "Categoria", "#RINVIA", "{{disambigua}}"),
    ("nl", "Categorie", "#DOORVERWIJZING", "{{dp}}"),
    ("pl", "Kategoria", "#PATRZ", "{{ujednoznacznienie}}"),
    ("ru", "Категория", "#перенаправление", "{{неоднозначность}}"),
    ("uk", "Категорія", "#ПЕРЕНАПРАВЛЕННЯ", "{{багатозначність}}"),
    ("ja", "Category", "#転送", "{{aimai}}"),
    ("ja", "カテゴリ", "#リダイレクト", "{{曖昧さ回避}}"),
    ("zh", "分类", "#重定向", "{{消歧义}}"),
    ("zh", "分類", "#重新導向", "{{disambig}}"),
    ("zh-min-nan", "Lūi-pia̍t", "#REDIRECT", "__DISAMBIG__"),
    ("ko", "분류", "#넘겨주기", "{{동음이의}}"),
    ("vi", "Thể loại", "#đổi", "{{Định hướng}}"),
    ("vi", "Thể_loại", "#ĐỔI", "{{trang định hướng}}"),
    ("ar", "تصنيف", "#تحويل", "{{توضيح}}"),
    ("fa", "رده", "#تغییر_مسیر", "{{ابهام‌زدایی}}"),
    ("he", "קטגוריה", "#הפניה", "{{פירושונים}}"),
    ("be-tarask", "Катэгорыя", "#перанакіраваньне", "{{Неадназначнасьць}}"),
    ("be", "Катэгорыя", "#перанакіраванне", "{{неадназначнасць}}"),
    ("no", "Kategori", "#OMDIRIGERING", "{{peker}}"),
    ("sv", "Kategori", "#OMDIRIGERING", "{{förgrening}}"),
    ("tr", "Kategori", "#YÖNLENDİRME", "{{anlam ayrımı}}"),
    ("th", "หมวดหมู่", "#เปลี่ยนทาง", "{{แก้กำกวม}}"),
    ("hi", "श्रेणी", "#पुनर्प्रेषित", "{{बहुविकल्पी शब्द}}"),
]
OTHERS = "zh-min-nan be-x-old be-tarask simple nb no zh-classical roa-rup"


@pytest.mark.parametrize(("edition", "category", "redirect", "notice"), EDITIONS)
def test_an_edition_is_read_in_its_own_words(edition: str, category: str, redirect: str, notice: str) -> None:
    links = "\n".join(f"[[{code}:Title]]" for code in OTHERS.split())
    page = plain(
        f"Words here. [[:{category}:Link|a link]]\n\n{notice}\n[[{category}:Two_words|sort key]]\n"
        f"[[ {category.lower()} : Other ]]\n[[Category:English]]\n{links}\n[[:de:Ding|thing]]",
        edition,
    )
    assert page.text == "Words here. a link\nthing"
    assert page.categories == ("Two words", "Other", "English")
    assert page.language_links == dict.fromkeys(OTHERS.split(), "Title")
    assert page.disambiguation
    assert not plain("Words here.", edition).disambiguation
    for markup in ("{} [[Two_words#part|shown]]", "{}: [[Two words]]", "\n{}[[:Two words]]\n[[Category:Redirects]]"):
        for word in (redirect, redirect.lower(), "#REDIRECT"):
            assert redirect_target(markup.format(word)) == "Two words"
