"use strict";
// The page holds the image that is shown and the next ones; everything else is in S3.
const AHEAD = 2; // images that are loaded before they are needed
const DOUBLE_CLICK_MS = 250; // a click so soon after an image appears is the second click on the previous image
const element = (id) => document.getElementById(id);
const buttons = [...document.querySelectorAll("#choices button")];
const byKeys = new Map(buttons.map((button) => [button.dataset.keys, button]));
const digits = document.querySelector("[data-label]").dataset.keys.length;

let current = null; // the entry that is shown
let waiting = []; // the entries that come next
let isExhausted = false; // whether the server has no further entry
let returned = 0; // number of entries given back; if it changes during a request, the server may have a further entry
let undone = 0; // changes when the entry that is being loaded may be the entry that undo shows
let isLoading = false;
let isBusy = false; // while an answer is being stored
let shownAt = 0;
let typed = ""; // the first digits of a class, if the classes have several

async function post(path, content = {}) {
  let response;
  try {
    response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) });
  } catch {
    throw new Error("The server has ended. Run make review again, and open its new address: all earlier answers are stored.");
  }
  const text = await response.text();
  let result;
  try {
    result = JSON.parse(text);
  } catch {
    const reason = response.status === 403 ? `Refused: ${text}.` : `The server has failed (${response.status}).`;
    throw Object.assign(new Error(reason), { status: response.status });
  }
  if ("total" in result) showProgress(result);
  if (!response.ok) throw Object.assign(new Error(result.message ?? `The server has refused this (${response.status}).`), { status: response.status });
  return result;
}

async function load() {
  if (isLoading) return;
  isLoading = true;
  try {
    while (!isExhausted && waiting.length < AHEAD + (current ? 0 : 1)) {
      const held = [current, ...waiting].filter(Boolean).map((entry) => entry.key);
      const before = { returned, undone };
      const { entry } = await post("/next", { held });
      if (!entry) {
        isExhausted = before.returned === returned;
      } else {
        await decoded(entry);
        if (before.undone === undone) waiting.push(entry);
      }
      if (!current) showNext();
    }
  } catch (error) {
    showAlert(error.message);
    element("placeholder").textContent = "Reload this page to try again.";
  } finally {
    isLoading = false;
  }
}

async function decoded(entry) {
  const image = new Image();
  image.src = entry.image;
  await image.decode().catch(() => {});
}

function showNext() {
  current = waiting.shift() ?? null;
  typed = "";
  shownAt = performance.now();
  if (current) element("image").src = current.image;
  element("image").hidden = !current;
  element("placeholder").hidden = Boolean(current);
  const isFinished = !current && isExhausted;
  element("placeholder").textContent = isFinished ? "✓" : "Loading …";
  element("finished").hidden = !isFinished;
  element("stage").classList.toggle("finished", isFinished);
  for (const part of document.querySelectorAll("#question, .classes, #skip")) part.hidden = isFinished;
  for (const button of buttons) button.disabled = !current && button.id !== "undo";
  if (isFinished) element("finished").focus();
}

function showProgress({ answered, total, hidden, counted }) {
  const bar = element("progress");
  bar.max = Math.max(total, 1);
  bar.value = answered;
  const invalid = hidden ? `, ${hidden} cannot be shown` : "";
  element("progress-text").textContent = `${answered} of ${total}${counted ? "" : " or more"} answered${invalid}`;
}

function showAlert(text) {
  element("alert").textContent = text;
  element("alert").hidden = !text;
}

const spaced = (name) => name.replaceAll("_", " ");

function describe(label, { prediction, reasons }) {
  const [name, confidence] = prediction ?? [];
  const model = prediction ? `The model: ${spaced(name)}, confidence ${confidence.toFixed(2)}.` : "The model's prediction is not known.";
  return `Stored: ${label}.\n${model}\nWhy you were asked: ${reasons.map(spaced).join(", ")}.`;
}

async function once(button, action) {
  if (isBusy) return;
  isBusy = true;
  button.classList.add("pressed");
  showAlert("");
  try {
    await action();
  } catch (error) {
    showAlert(error.message);
  } finally {
    isBusy = false;
    button.classList.remove("pressed");
  }
  load();
}

async function answer(button) {
  if (!current) return;
  const seconds = (performance.now() - shownAt) / 1000;
  try {
    const result = await post("/answers", { entry: current.key, label: button.dataset.label, seconds });
    element("status").textContent = describe(button.textContent.replace(button.dataset.keys, "").trim(), result);
  } catch (error) {
    const isUnknown = !error.status || error.status === 500; // the server may have ended after it stored the answer
    if (isUnknown) throw new Error(`Perhaps not stored: the image comes again if it has no answer. ${error.message}`);
    if (error.status !== 409) throw new Error(`Not stored. ${error.message}`);
    element("status").textContent = `Not stored: ${error.message}.`;
  }
  showNext();
}

function giveBack() {
  isExhausted = false;
  returned += 1;
}

function dropLoading() {
  giveBack();
  undone += 1;
}

async function skip() {
  if (!current) return;
  giveBack();
  element("status").textContent = "Skipped.";
  showNext();
}

async function undo() {
  const { entry } = await post("/undo").finally(dropLoading); // the answer may be deleted even if its image cannot be read
  if (entry) {
    await decoded(entry);
    const others = [current, ...waiting].filter((other) => other && other.key !== entry.key);
    waiting = [entry, ...others];
    dropLoading();
    showNext();
  }
  // only now, because keys do nothing before the image is shown
  element("status").textContent = entry ? "The last answer is deleted. Answer again." : "Nothing to undo, or the image of the deleted answer cannot be shown.";
}

function press(button) {
  const action = { skip, undo }[button.id] ?? (() => answer(button));
  if (!button.disabled) once(button, action);
}

function type(key) {
  typed = (typed + key).slice(-digits);
  if (typed.length === digits) {
    const button = byKeys.get(typed);
    typed = "";
    if (button) press(button);
  }
}

for (const button of buttons) {
  button.addEventListener("click", () => {
    if (performance.now() - shownAt > DOUBLE_CLICK_MS) press(button);
  });
}

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || !element("shortcuts").checked) return;
  const key = event.key.toLowerCase();
  if (/^\d$/.test(key)) type(key);
  else typed = "";
  if (/^[a-z]$/.test(key) && byKeys.has(key)) press(byKeys.get(key));
});

load();
