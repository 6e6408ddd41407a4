import type { Outcome } from './outcome.ts';

const EXAMPLES_MAX = 2;
const LINES_MAX = 60;
const MARGIN_MS = 60;
/** What is told of a subscriber around its message: who has its session. */
const MOVES = /take |connects|connack|has no connection|directed/u;
/** What is told of the nodes. */
const EVENTS = / n\d+ +(?:warn|error|info|is |goes|loses|has|starts|serves)/u;

const timeOf = (line: string): number => Number(line.slice(0, 10));

/** The lines of a trace that tell what became of the messages of a failure, and what happened around them. */
export function excerptOf(trace: readonly string[], { examples }: Outcome): string[] {
  const lines: string[] = [];
  for (const { message, receiver } of examples.slice(0, EXAMPLES_MAX)) {
    const name = new RegExp(`${message.replace('/', '\\/')}\\b`, 'u');
    const about = trace.filter((line) => name.test(line));
    const fromMs = timeOf(about[0] ?? '') - MARGIN_MS;
    const untilMs = timeOf(about.at(-1) ?? '') + MARGIN_MS;
    const around = trace.filter((line) => {
      if (name.test(line)) return true;
      if (timeOf(line) < fromMs || timeOf(line) > untilMs) return false;
      return EVENTS.test(line) || (line.includes(receiver) && MOVES.test(line));
    });
    const rest = around.length - LINES_MAX;
    lines.push(`${message} at ${receiver}:`, ...around.slice(0, LINES_MAX).map(shortened));
    if (rest > 0) lines.push(`... and ${String(rest)} lines more`);
  }
  return lines;
}

function shortened(line: string): string {
  return line.length > 200 ? `${line.slice(0, 200)}...` : line;
}
