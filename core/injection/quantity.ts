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

const quantityPattern = /^(\d+(?:\.\d*)?|\.\d+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,2}))?$/;

/**
 * The size of a Kubernetes quantity ("500m", "2Gi", "1e3"), or undefined when it is none.
 * Kubernetes: apimachinery/pkg/api/resource/quantity.go. A double is exact enough to compare two quantities of the sizes in use.
 */
export function quantity(text: string): number | undefined {
  const parts = quantityPattern.exec(text);
  if (parts === null) return undefined;
  const [, digits, suffix = "", exponent] = parts;
  return Number(digits) * (exponent === undefined ? (suffixes[suffix] ?? Number.NaN) : 10 ** Number(exponent));
}

/** Digits of a number that sums are made of: more than any quantity that Kubernetes keeps (int64). */
const mostDigits = 40;

/** Nano units: the finest that Kubernetes keeps; what is below is rounded up (quantity.go, ParseQuantity). */
const nanoDigits = 9;

/** A quantity in whole nano units, for sums that are to be exact; undefined when it is none. */
export function nanoUnits(text: string): bigint | undefined {
  const [, digits, suffix = "", exponent] = text.length > mostDigits ? [] : (quantityPattern.exec(text) ?? []);
  if (digits === undefined) return undefined;
  const [whole = "", fraction = ""] = digits.split(".");
  const power = /^[KMGTPE]i$/.test(suffix) ? 10 * (binarySuffixes.indexOf(suffix) + 1) : 0;
  const shift =
    nanoDigits - fraction.length + (exponent === undefined ? decimalShift(suffix, power) : Number(exponent));
  const scaled = BigInt(whole + fraction) * 2n ** BigInt(power);
  return shift >= 0 ? scaled * 10n ** BigInt(shift) : roundedUp(scaled, 10n ** BigInt(-shift));
}

const binarySuffixes: readonly string[] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const decimalSuffixes: readonly string[] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

function decimalShift(suffix: string, power: number): number {
  return power > 0 ? 0 : 3 * (decimalSuffixes.indexOf(suffix) - decimalSuffixes.indexOf(""));
}

function roundedUp(value: bigint, unit: bigint): bigint {
  return (value + unit - 1n) / unit;
}

/** Writes nano units as a quantity of CPU, rounded up to thousandths, as the kubelet and the scheduler do (MilliValue). */
export function cpuQuantity(nano: bigint): string {
  const milli = roundedUp(nano, 10n ** 6n);
  return milli % 1000n === 0n ? String(milli / 1000n) : `${milli}m`;
}

/** Writes nano units as a quantity of memory, rounded up to whole bytes: the shortest that says it exactly. */
export function memoryQuantity(nano: bigint): string {
  const bytes = roundedUp(nano, 10n ** 9n);
  const written = [
    ...binarySuffixes.map((suffix, index) => ({ suffix, unit: 1024n ** BigInt(index + 1) })),
    ...decimalSuffixes
      .slice(decimalSuffixes.indexOf(""))
      .map((suffix, index) => ({ suffix, unit: 1000n ** BigInt(index) })),
  ];
  const exact =
    bytes === 0n
      ? ["0"]
      : written.filter(({ unit }) => bytes % unit === 0n).map(({ suffix, unit }) => `${bytes / unit}${suffix}`);
  return exact.reduce((shortest, text) => (text.length < shortest.length ? text : shortest));
}
