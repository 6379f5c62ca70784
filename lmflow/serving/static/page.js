"use strict";
// One page, no library: what the API says, in English or Chinese. Everything from a model goes in as text, never as HTML.

const WORDS = {
  en: {
    tagline: "The champions, as they are now", speaks: "Models that speak", write: "Write", prompt: "How it begins", length: "Tokens",
    temperature: "Temperature", seed: "Seed", random: "random", generate: "Generate", similar: "Similar words", find: "Find",
    champions: "Champions", model: "Model", version: "Version", family: "Family", scores: "Scores", trained: "Trained",
    verdict: "Verdict of the gate", registry: "Open the registry in MLflow", working: "Writing…", silence: "(it wrote nothing)",
    by: (m) => `${m.name}, version ${m.version} (${m.architecture})`, none: "No champion yet. Run the retrain DAG (make demo).",
    facts: (r) => `seed ${r.seed} · ${r.seconds} s · ${r.model} version ${r.version}`, lost: "The server does not answer.",
    footer: "These models echo the text they were trained on; they state nothing as fact.",
  },
  zh: {
    tagline: "当前的冠军模型", speaks: "模型语言", write: "续写", prompt: "开头", length: "词元数",
    temperature: "温度", seed: "随机种子", random: "随机", generate: "生成", similar: "相近的词", find: "查找",
    champions: "冠军模型", model: "模型", version: "版本", family: "类型", scores: "得分", trained: "训练时间",
    verdict: "门控结论", registry: "在 MLflow 中打开模型注册表", working: "正在生成……", silence: "（没有生成内容）",
    by: (m) => `${m.name}，版本 ${m.version}（${m.architecture}）`, none: "尚无冠军模型。请运行 retrain DAG（make demo）。",
    facts: (r) => `种子 ${r.seed} · ${r.seconds} 秒 · ${r.model} 版本 ${r.version}`, lost: "服务器没有响应。",
    footer: "这些模型只是重复其训练语料中的说法，并不陈述事实。",
  },
};
const NAMES = { en: "English", zh: "中文" };
const STARTS = { en: ["The government said", "world"], zh: ["中国经济", "经济"] };

const SCORES = { test_bits_per_byte: "bits/byte", wordsim353_spearman: "WordSim-353 ρ", simlex999_spearman: "SimLex-999 ρ",
  google_analogies_semantic: "Google semantic", google_analogies_syntactic: "Google syntactic",
  ca8_semantic: "CA8 semantic", ca8_morphological: "CA8 morphological" };

const at = (id) => document.getElementById(id);
const made = (tag, text, attributes = {}) => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.textContent = text;
  return element;
};
const state = { ui: "en", lang: "en", models: [], languages: [], mlflow: "", entered: {} };
const say = () => WORDS[state.ui];
const champion = (kind) => state.models.find((m) => m.kind === kind && m.lang === state.lang);

async function ask(path, options) {
  let reply;
  try { reply = await fetch(path, options); } catch { throw new Error(say().lost); }
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.remedy ? `${answer.error}. ${answer.remedy}` : answer.error);
  return answer;
}

function show() {
  document.documentElement.lang = state.ui === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-i18n]")) element.textContent = say()[element.dataset.i18n];
  for (const button of document.querySelectorAll("[data-ui]")) button.setAttribute("aria-pressed", button.dataset.ui === state.ui);
  at("seed").placeholder = say().random;
  at("languages").replaceChildren(...state.languages.map((lang) => {
    const button = made("button", NAMES[lang] || lang, { type: "button", onclick: () => choose(lang) });
    button.setAttribute("aria-pressed", lang === state.lang);
    button.lang = lang;
    return button;
  }));
  for (const [kind, place] of [["lm", "write-who"], ["embeddings", "similar-who"]]) {
    const model = champion(kind);
    at(place).textContent = model ? say().by(model) : say().none;
  }
  at("champions").replaceChildren(...state.models.map(row));
  at("none").hidden = state.models.length > 0;
  at("none").textContent = say().none;
  if (state.mlflow) at("mlflow").href = `${state.mlflow}/#/models`;
}

function figure({ value, low, high }) {
  const interval = low === undefined ? "" : ` (${low.toFixed(2)} – ${high.toFixed(2)})`;
  return value.toFixed(3) + interval;
}

function row(model) {
  const line = document.createElement("tr");
  const link = made("a", model.name, { href: model.url, target: "_blank", rel: "noopener" });
  const scores = Object.entries(model.scores).map(([name, score]) => `${SCORES[name] || name.replace("_spearman", " ρ")} ${figure(score)}`).join("\n");
  line.append(made("td", ""), made("td", model.version), made("td", model.architecture), made("td", scores || "–"),
    made("td", model.trained_at.slice(0, 16).replace("T", " ")), made("td", model.verdict || "–"));
  line.firstChild.append(link);
  return line;
}

function choose(lang) {
  state.entered[state.lang] = [at("prompt").value, at("word").value];
  state.lang = lang;
  [at("prompt").value, at("word").value] = state.entered[lang] || STARTS[lang] || ["", ""];
  for (const id of ["prompt", "word", "text"]) at(id).lang = lang;
  at("text").hidden = true;
  at("text-facts").textContent = "";
  at("similar-error").hidden = true;
  at("neighbours").replaceChildren();
  show();
}

async function generate(event) {
  event.preventDefault();
  const button = event.target.querySelector("button.main");
  const seed = at("seed").value;
  const asked = {
    lang: state.lang, prompt: at("prompt").value, max_tokens: Number(at("max_tokens").value),
    temperature: Number(at("temperature").value), seed: seed === "" ? null : Number(seed),
  };
  const text = at("text");
  text.hidden = false;
  text.className = "text";
  text.textContent = say().working;
  at("text-facts").textContent = "";
  button.disabled = true;
  try {
    const answer = await ask("/generate", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(asked) });
    text.replaceChildren(made("b", answer.prompt), answer.text || say().silence);
    at("text-facts").textContent = say().facts(answer);
  } catch (error) {
    text.className = "text bad";
    text.textContent = error.message;
  } finally {
    button.disabled = false;
  }
}

async function similar(event) {
  if (event) event.preventDefault();
  const query = new URLSearchParams({ lang: state.lang, word: at("word").value, topn: "12" });
  const problem = at("similar-error");
  try {
    const answer = await ask(`/similar?${query}`);
    problem.hidden = true;
    at("neighbours").replaceChildren(...answer.similar.map(({ word, score }) => {
      const item = document.createElement("li");
      const follow = made("button", word, { type: "button", onclick: () => { at("word").value = word; similar(); } });
      follow.lang = state.lang;
      item.append(follow, Object.assign(document.createElement("progress"), { max: 1, value: Math.max(0, score) }), made("span", score.toFixed(2)));
      return item;
    }));
  } catch (error) {
    at("neighbours").replaceChildren();
    problem.hidden = false;
    problem.textContent = error.message;
  }
}

async function look() {
  try {
    const answer = await ask("/models");
    Object.assign(state, { models: answer.models, languages: answer.languages, mlflow: answer.mlflow });
    const problems = Object.values(answer.problems);
    at("notice").hidden = problems.length === 0;
    at("notice").textContent = problems.join(" ");
  } catch (error) {
    at("notice").hidden = false;
    at("notice").textContent = error.message;
  }
  show();
}

state.ui = new URLSearchParams(location.search).get("ui") || (navigator.language.startsWith("zh") ? "zh" : "en");
if (!WORDS[state.ui]) state.ui = "en";
for (const button of document.querySelectorAll("[data-ui]")) button.onclick = () => { state.ui = button.dataset.ui; show(); };
at("generate").onsubmit = generate;
at("similar").onsubmit = similar;
[at("prompt").value, at("word").value] = STARTS.en;
look();
setInterval(look, 10000);
