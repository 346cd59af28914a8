/** The copy buttons of the documentation page. */

document.addEventListener("click", async ({ target }) => {
  if (!(target instanceof HTMLElement) || target.dataset.copy === undefined) return;
  const code = /** @type {Element} */ (target.previousElementSibling);
  try {
    await navigator.clipboard.writeText(code.textContent ?? "");
  } catch {
    getSelection()?.selectAllChildren(code); // no clipboard without TLS: select, then the old way
    document.execCommand("copy");
  }
  target.textContent = target.dataset.done;
});
