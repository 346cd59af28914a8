/** Small words for the page: find, make, say. */

const TOAST_FOR = 8_000;

export const byId = (id) => document.getElementById(id);

/** An element with properties and children; texts are texts. */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  const { data = {}, ...rest } = properties;
  Object.assign(element, rest);
  Object.assign(element.dataset, data);
  element.append(...children);
  return element;
}

/** Tells what came of an action; read aloud too. */
export function toast(words) {
  const line = make("p", {}, words);
  byId("toasts").append(line);
  setTimeout(() => line.remove(), TOAST_FOR);
}

/** A module that is not needed at first. After the gateway was replaced by another version, the old one is gone. */
export async function load(name) {
  try {
    return await import(`./${name}.js`);
  } catch (error) {
    toast("This part of the page could not be loaded. Reload the page if the gateway was updated.");
    throw error;
  }
}

/** A choice kept in this browser. */
export const kept = {
  get: (name, otherwise) => {
    try {
      return JSON.parse(localStorage.getItem(name)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  set: (name, value) => localStorage.setItem(name, JSON.stringify(value)),
};
