/* The chosen theme, before anything is drawn: light, dark, or none for the system's. */
"use strict";
{
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
}
