/** The tokens as canvas colours, and the hatch for provisional values. */

export interface Palette {
  text: string;
  muted: string;
  border: string;
  surface: string;
  accent: string;
  accentWash: string;
  compare: string;
  font: string;
  hatch: HTMLCanvasElement;
}

const NAMES = ["text", "muted", "border", "surface", "accent", "accent-wash", "compare"] as const;

export function paletteOf(element: HTMLElement): Palette {
  const probe = document.createElement("span");
  element.append(probe);
  const read = (name: (typeof NAMES)[number]): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const accent = read("accent");
  const surface = read("surface");
  const palette = {
    text: read("text"),
    muted: read("muted"),
    border: read("border"),
    surface,
    accent,
    accentWash: read("accent-wash"),
    compare: read("compare"),
    font: getComputedStyle(element).fontFamily,
    hatch: hatch(accent, surface),
  };
  probe.remove();
  return palette;
}

function hatch(line: string, ground: string): HTMLCanvasElement {
  const size = 6;
  const canvas = document.createElement("canvas");
  canvas.width = size;
  canvas.height = size;
  const pen = canvas.getContext("2d");
  if (!pen) return canvas;
  pen.fillStyle = ground;
  pen.fillRect(0, 0, size, size);
  pen.strokeStyle = line;
  pen.lineWidth = 1.4;
  for (const shift of [-size, 0, size]) {
    pen.beginPath();
    pen.moveTo(shift, size);
    pen.lineTo(shift + size, 0);
    pen.stroke();
  }
  return canvas;
}
