/** A line of 60 by 16 pixels, without axes. */

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 60;
const HEIGHT = 16;

/** @param {(number|null)[]} values  oldest first; null leaves a gap */
export function sparkline(values) {
  const top = Math.max(1e-9, ...values.map((value) => value ?? 0));
  const step = WIDTH / Math.max(1, values.length - 1);
  let pen = "M";
  const points = values.map((value, at) => {
    if (value === null) return ((pen = "M"), "");
    const point = `${pen}${(at * step).toFixed(1)} ${(HEIGHT - 1 - (value / top) * (HEIGHT - 2)).toFixed(1)}`;
    pen = "L";
    return point;
  });
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("class", "spark");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", points.join(""));
  svg.append(path);
  return svg;
}
