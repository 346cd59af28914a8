/* The chosen theme, before anything is drawn: light, dark, or none for the system's. */
"use strict";
{
  try {
    const base = document.documentElement.dataset.base ?? "";
    const stored = localStorage.getItem(`chat-gateway${base}:theme`) ?? (base ? null : localStorage.getItem("theme"));
    const [, chosen] = /^"?(light|dark)"?$/.exec(stored) ?? [];
    if (chosen) document.documentElement.dataset.theme = chosen;
  } catch {
    // A browser that refuses storage has no choice either.
  }
}
