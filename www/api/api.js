// The API reference: shows /openapi.json, operation by operation.
import { $, el, descriptionOf, setLanguage, currentLanguage, text, texts } from "./dom.js";
import { setDescription, kind, resolve, tree } from "./schema.js";

const METHODS = ["get", "head", "post", "put", "patch", "delete"];
let description;

const textOf = (thing, name) => (currentLanguage() === "ko" && thing["x-ko"]?.[name]) || thing[name];

function operations() {
  return Object.entries(description.paths).flatMap(([path, methods]) =>
    METHODS.filter((method) => methods[method]).map((method) => ({ path, method, ...methods[method] })),
  );
}

function access({ "x-access": { who, roles = [], others = [], ticket } }) {
  if (who !== "token") return texts()[who];
  const beyond = others.length > 0 && others.length < roles.length ? ` · ${texts().others(others.join(", "))}` : "";
  return `${texts().roles(roles.join(", "))}${ticket ? ` ${texts().ticket}` : ""}${beyond}`;
}

function sample({ "x-codeSamples": [{ source }] }) {
  const copy = el("button", "quiet", texts().copy);
  copy.type = "button";
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(source);
    $("#announcer").textContent = texts().copied;
    copy.textContent = texts().copied;
  });
  const code = el("pre", "", el("code", "", source));
  code.tabIndex = 0;
  code.role = "group";
  code.ariaLabel = texts().sample;
  return section(texts().sample, el("div", "sample", code, copy), el("p", "faint small", texts().sampleLead));
}

const section = (title, ...content) => el("section", "part", el("h3", "", title), ...content);

function parameters({ parameters: given = [] }) {
  // Parameters of every operation are described once, at the top.
  const own = given.map(resolve).filter(({ name }) => name !== "Accept-Language");
  if (own.length === 0) return [];
  const rows = own.map((parameter) => {
    const row = el("li", "", el("code", "member", parameter.name), " ", el("span", "where", texts().where[parameter.in]), " ", el("span", "kind", kind(parameter.schema)));
    if (parameter.required) row.append(" ", el("span", "needed", texts().required));
    row.append(el("p", "faint", ...text(descriptionOf(parameter))));
    return row;
  });
  return [section(texts().parameters, el("ul", "schema", ...rows))];
}

function body({ requestBody }) {
  if (!requestBody) return [];
  const types = Object.entries(requestBody.content).map(([type, { schema }]) => {
    const members = tree(schema);
    return el(members ? "div" : "span", "media", el("code", "", type), ...[members].filter(Boolean));
  });
  return [section(texts().body, el("p", "faint", ...text(descriptionOf(requestBody))), ...types)];
}

function codes(answer) {
  const known = description.components.schemas.Code["x-codes"];
  return el("ul", "codes", ...answer["x-codes"].map((code) => {
    const link = el("a", "code", code);
    link.href = `#${code}`;
    return el("li", "", link, el("span", "faint", known[code][currentLanguage()]));
  }));
}

function answers({ responses }) {
  const rows = Object.entries(responses).map(([status, given]) => {
    const answer = resolve(given);
    const row = el("li", `answer s${status[0]}`, el("b", "status", status));
    const content = el("div", "");
    row.append(content);
    if (answer["x-codes"]) content.append(codes(answer));
    else content.append(el("p", "", ...text(descriptionOf(answer))));
    const shown = Object.entries(answer.content ?? {}).filter(() => !answer["x-codes"]);
    for (const [type, { schema }] of shown) {
      const members = tree(schema);
      if (!members) content.append(el("p", "faint small", type));
      else content.append(el("details", "", el("summary", "", type), members));
    }
    const headers = Object.keys(answer.headers ?? {}).filter((name) => !USUAL.has(name));
    if (headers.length > 0 && !answer["x-codes"]) content.append(el("p", "faint small", `${texts().headers}: ${headers.join(", ")}`));
    return row;
  });
  return section(texts().answers, el("ul", "answers", ...rows));
}
/** Headers of every response, which are left out. */
const USUAL = new Set(["X-Request-Id", "X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy", "Vary", "Server-Timing"]);

function renderOperation(operation) {
  const { operationId, method, path } = operation;
  const address = el("span", "address", el("b", `method ${method}`, method.toUpperCase()), el("code", "", path));
  const summary = el("summary", "", address, el("span", "summary", textOf(operation, "summary")));
  const shown = el("details", "operation card", summary);
  shown.id = operationId;
  shown.open = opened.has(operationId);
  const renderContent = () => {
    if (shown.childElementCount > 1) return;
    shown.append(el("p", "access", access(operation)), el("p", "", ...text(textOf(operation, "description"))), sample(operation), ...parameters(operation), ...body(operation), answers(operation));
  };
  if (shown.open) renderContent();
  shown.addEventListener("toggle", () => {
    if (shown.open) renderContent();
    opened[shown.open ? "add" : "delete"](operationId);
  });
  return shown;
}
const opened = new Set();

function show() {
  if (!description) return;
  $("#lead").replaceChildren(...text(descriptionOf(description.info)));
  $("#version").textContent = `OpenAPI ${description.openapi} · ${description.info.version}`;
  const all = operations();
  const groups = description.tags.map((tag) => {
    const title = el("h2", "", descriptionOf(tag));
    title.id = `tag-${tag.name}`;
    return el("section", "group", title, ...all.filter(({ tags }) => tags.includes(tag.name)).map(renderOperation));
  });
  $("#operations").replaceChildren(...groups);
  showContents(all);
  showCodes();
  filter();
}

function showContents(all) {
  const lists = description.tags.flatMap((tag) => {
    const links = all.filter(({ tags }) => tags.includes(tag.name)).map((operation) => {
      const link = el("a", "", textOf(operation, "summary"));
      link.href = `#${operation.operationId}`;
      return el("li", "", link);
    });
    return [el("p", "", descriptionOf(tag)), el("ul", "", ...links)];
  });
  const last = el("a", "", texts().codes);
  last.href = "#codes";
  $("#contents").replaceChildren(...lists, el("p", "", last));
}

function showCodes() {
  const rows = Object.entries(description.components.schemas.Code["x-codes"]).map(([code, meaning]) => {
    const name = el("th", "", el("code", "", code));
    name.scope = "row";
    const row = el("tr", "", name, el("td", "", String(meaning.status)), el("td", "", meaning.backendCode), el("td", "", meaning[currentLanguage()]));
    row.id = code;
    return row;
  });
  $("#codes tbody").replaceChildren(...rows);
  $("#codes").hidden = false;
}

/** Shows the operations whose address or name contains the text. */
function filter() {
  const wanted = $("#find").value.trim().toLowerCase();
  for (const shown of document.querySelectorAll(".operation")) {
    shown.hidden = !$("summary", shown).textContent.toLowerCase().includes(wanted);
  }
  const groups = [...document.querySelectorAll(".group")];
  for (const group of groups) group.hidden = !$(".operation:not([hidden])", group);
  $("#none").hidden = groups.some((group) => !group.hidden);
}

/** Opens the operation that the fragment of the URL names. */
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.matches("details")) {
    target.hidden = false;
    target.open = true;
    $("summary", target).focus({ preventScroll: true });
  }
  target.scrollIntoView();
}

$("#find").addEventListener("input", filter);
addEventListener("hashchange", openTarget);
document.addEventListener("language", show);
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => setLanguage(button.dataset.language));
}

$("#base").textContent = location.origin;
setLanguage(currentLanguage());
try {
  description = await (await fetch("/openapi.json")).json();
  setDescription(description);
  show();
  openTarget();
} catch {
  $("#problem").textContent = texts().failed;
  $("#problem").hidden = false;
}
