const suffixes: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/**
 * The size of a Kubernetes quantity ("500m", "2Gi", "1e3"), or undefined when it is none.
 * Kubernetes: apimachinery/pkg/api/resource/quantity.go. A double is exact enough to compare two quantities of the sizes in use.
 */
export function quantity(text: string): number | undefined {
  const parts = /^(\d+(?:\.\d*)?|\.\d+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,2}))?$/.exec(text);
  if (parts === null) return undefined;
  const [, digits, suffix = "", exponent] = parts;
  return Number(digits) * (exponent === undefined ? (suffixes[suffix] ?? Number.NaN) : 10 ** Number(exponent));
}
