// A schema of the OpenAPI document as a readable list: names, types, limits.
import { el, descriptionOf, text, texts } from "./dom.js";

let description;
export function setDescription(document) {
  description = document;
}

/** The target of a `$ref`; anything else unchanged. */
export function resolve(value) {
  if (!value?.$ref) return value;
  const found = value.$ref.slice(2).split("/").reduce((at, name) => at[name], description);
  return { ...found, ...value, $ref: undefined, name: value.$ref.split("/").at(-1) };
}

const isNull = (schema) => schema.type === "null";
const LONG_PATTERN = 60;

/** The alternatives of a schema. */
const choices = (schema) => (schema.anyOf ?? schema.oneOf ?? []).filter((choice) => choice.type || choice.$ref || choice.enum || choice.anyOf).map(resolve);

/** The type of a value in a few words. */
export function kind(given) {
  const schema = resolve(given);
  const among = choices(schema);
  if (among.length > 0) return among.map(kind).join(` ${texts().or} `);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.length > 8 ? schema.name : schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.items) return `${texts().items} ${kind(schema.items)}`;
  const type = [schema.type ?? (schema.properties || schema.allOf ? "object" : texts().anything)].flat().join(" | ");
  return [type, limits(schema)].filter(Boolean).join(", ");
}

function limits({ minimum, maximum, minLength, maxLength, format, pattern, default: preset, contentMediaType }) {
  const between = (least, most) => (most === undefined ? `≥ ${least}` : least === undefined ? `≤ ${most}` : `${least}–${most}`);
  const range = (least, most, unit = "") => (least === undefined && most === undefined ? "" : between(least, most) + unit);
  const most = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  const shownPattern = pattern && pattern.length <= LONG_PATTERN ? pattern : "";
  return [format, contentMediaType, range(minimum || undefined, most), range(minLength, maxLength, texts().characters), shownPattern, preset === undefined ? "" : `= ${preset}`].filter(Boolean).join(", ");
}

/** All members of a schema, with those of `allOf`. */
function members(schema) {
  const parts = (schema.allOf ?? []).map(resolve).map(members);
  return parts.reduce((sum, part) => ({ properties: { ...sum.properties, ...part.properties }, required: [...sum.required, ...part.required] }), {
    properties: schema.properties ?? {},
    required: schema.required ?? [],
  });
}

/** The members of a schema as a nested list; undefined when it has none. */
export function tree(given, depth = 0) {
  const schema = resolve(given);
  if (schema.items) return tree(schema.items, depth);
  const among = choices(schema).filter((choice) => !isNull(choice));
  if (among.length > 0) return among.map((choice) => tree(choice, depth)).find(Boolean);
  const { properties, required } = members(schema);
  const names = Object.keys(properties);
  if (names.length === 0 || depth > 4) return undefined;
  const rows = names.map((name) => {
    const member = resolve(properties[name]);
    const row = el("li", "", el("code", "member", name), " ", el("span", "kind", kind(properties[name])));
    if (required.includes(name)) row.append(" ", el("span", "needed", texts().required));
    if (member.description) row.append(el("p", "faint", ...text(descriptionOf(member))));
    const inner = tree(properties[name], depth + 1);
    if (inner) row.append(inner);
    return row;
  });
  return el("ul", "schema", ...rows);
}
