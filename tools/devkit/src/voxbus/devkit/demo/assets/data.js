"use strict";

// Everything the page shows. Text goes into the document as text nodes only, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const call = data.summary;
const $ = (id) => document.getElementById(id);

/** An element. `attributes`: class, data-*, aria-* and so on; children are nodes or strings. */
function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function bytes(base64) {
  const text = atob(base64.trim());
  const array = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) array[i] = text.charCodeAt(i);
  return array;
}

const clock = (ms) => {
  const tenths = Math.max(0, Math.round(ms / 100));
  const rest = tenths % 600;
  return `${Math.floor(tenths / 600)}:${String(Math.floor(rest / 10)).padStart(2, "0")}.${rest % 10}`;
};
const number = (ms) => Math.round(ms).toLocaleString("en-US");
const duration = (ms) => `${number(ms)} ms`;
// Who is on the telephone: the carrier's recording has one lane for either.
const party = call.direction === "outbound" ? "callee" : "caller";
for (const element of document.querySelectorAll(".party")) element.textContent = party;
const agentName = call.agent.replaceAll("_", " ");
