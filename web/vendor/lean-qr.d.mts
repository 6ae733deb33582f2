// What is used of lean-qr, for the checker of types.

export const correction: { readonly L: number; readonly M: number; readonly Q: number; readonly H: number };

type Colour = readonly [red: number, green: number, blue: number, alpha: number];

export function generate(
  text: string,
  options?: { minCorrectionLevel?: number },
): { toCanvas(canvas: HTMLCanvasElement, options?: { on?: Colour; off?: Colour; pad?: number }): void };
