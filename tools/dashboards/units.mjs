// Figures as Grafana writes them, by the unit of a panel.

const K = 1_000;
const KI = 1_024;
const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

const COUNTS = [
  [K ** 4, ' Tri'],
  [K ** 3, ' Bil'],
  [K ** 2, ' Mil'],
  [K, ' K'],
  [1, ''],
];
const BYTES = [
  [KI ** 4, ' TiB'],
  [KI ** 3, ' GiB'],
  [KI ** 2, ' MiB'],
  [KI, ' KiB'],
  [1, ' B'],
];
const BYTES_PER_SECOND = [
  [K ** 3, ' GB/s'],
  [K ** 2, ' MB/s'],
  [K, ' kB/s'],
  [1, ' B/s'],
];
const SECONDS = [
  [DAY * 365, ' years'],
  [DAY * 7, ' weeks'],
  [DAY, ' days'],
  [HOUR, ' hours'],
  [MINUTE, ' mins'],
  [1, ' s'],
  [1e-3, ' ms'],
  [1e-6, ' µs'],
];
const PER_SECOND = { reqps: 'req/s', cps: 'c/s', ops: 'ops/s' };
const DIGITS = 3;

/** A number with three digits that tell something, without zeros at its end. */
function plain(value) {
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  const text = value.toPrecision(DIGITS);
  return String(Number(text));
}

function scaled(value, steps) {
  const size = Math.abs(value);
  const last = steps.at(-1);
  const [by, name] =
    size === 0
      ? steps.find(([each]) => each === 1)
      : (steps.find(([each]) => size >= each * 0.9995) ?? last);
  return plain(value / by) + name;
}

/** @returns the text of a value, as Grafana has it for this unit. */
export function written(value, unit = 'short') {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (unit === 'percentunit') return `${plain(value * 100)}%`;
  if (unit === 's') return scaled(value, SECONDS);
  if (unit === 'd') return scaled(value * DAY, SECONDS);
  if (unit === 'bytes') return scaled(value, BYTES);
  if (unit === 'Bps') return scaled(value, BYTES_PER_SECOND);
  if (unit.startsWith('suffix:')) return plain(value) + unit.slice('suffix:'.length);
  const name = unit.startsWith('count:') ? unit.slice('count:'.length) : PER_SECOND[unit];
  const count = scaled(value, COUNTS);
  return name === undefined ? count : `${count.replace(/ (\w+)$/, '$1')} ${name}`;
}
