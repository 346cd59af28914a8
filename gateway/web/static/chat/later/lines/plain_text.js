/**
 * A row of the log as plain text, the way a terminal shows it: `ci: deploy 0`, `* nina dances`, `-- notice`.
 * @param {any} node
 */

const inPart = (node) => {
  if (node.nodeType === Node.TEXT_NODE) return node.textContent;
  if (node.matches(".code")) return `\n\`\`\`\n${node.querySelector("code").textContent}\n\`\`\`\n`;
  return node.matches("code") ? `\`${node.textContent}\`` : node.textContent;
};

/**
 * The words of a row, its code between fences.
 * @param {Element} row
 */
export const wordsOf = (row) => [...row.querySelector(".text").childNodes].map(inPart).join("").trim();

/**
 * A row with its author.
 * @param {Element} row
 */
export function textOf(row) {
  const words = wordsOf(row);
  const nick = row.querySelector(".nick")?.textContent;
  if (!nick) return `-- ${words}`;
  return row.matches(".action") ? `* ${nick} ${words}` : `${nick}: ${words}`;
}
