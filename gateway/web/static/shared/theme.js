/* The chosen theme, before anything is drawn: light, dark, or none for the system's. */
"use strict";
{
  try {
    const base = document.documentElement.dataset.base ?? "";
    const [, chosen] = /^"(light|dark)"$/.exec(localStorage.getItem(`chat-gateway${base}:theme`) ?? "") ?? [];
    if (chosen) document.documentElement.dataset.theme = chosen;
  } catch {
    // A browser that refuses storage has no choice either.
  }
}
