// The normative statements of the versions of MQTT, and what proves each of them.
import { parse } from 'yaml';

const ID = /\[(MQTT3?-\d+(?:\.\d+)+-\d+)\]/g;

/** The ids that a text names. */
export function idsIn(text) {
  return [...text.matchAll(ID)].map(([, id]) => id);
}

/** A text without the ids that it names. */
export function withoutIds(text) {
  return text.replaceAll(ID, '').replaceAll(/\s+/g, ' ').replaceAll('( ', '(').trim();
}

/**
 * Reads the list of a version.
 *
 * @throws Error when it does not hold as many statements as it says, or a reason that is spelled out twice.
 */
export function readStatements(text) {
  const { version, prefix, count, reasons = {}, statements } = parse(text);
  const list = Object.entries(statements).map(([number, entry]) => {
    const { text: words, reason } = typeof entry === 'string' ? { text: entry } : entry;
    return { id: `${prefix}${number}`, number, text: words, reason: reasons[reason] ?? reason };
  });
  if (list.length !== count) {
    throw new Error(`${version} has ${count} statements, but ${list.length} are listed`);
  }
  return { version, statements: list };
}

/**
 * Puts statements and tests together.
 *
 * @param versions - lists of statements.
 * @param tests - what `testTitles` has found, with the `file` of each. A cell of a table proves what it names itself.
 * @returns the tests by id, and what is wrong: a statement with neither test nor reason, or with both, and an id in a
 * title that no version has.
 */
export function proofs(versions, tests) {
  const byId = new Map(versions.flatMap(({ statements }) => statements.map(({ id }) => [id, []])));
  const faults = [];
  for (const { file, path, cell } of tests) {
    for (const id of new Set(cell === undefined ? path.flatMap(idsIn) : idsIn(cell))) {
      const title = path
        .map(withoutIds)
        .filter((part) => part !== '')
        .join(' › ');
      const known = byId.get(id);
      if (known === undefined)
        faults.push(`${file}: "${title}" names ${id}, which is no statement`);
      else if (!known.some((proof) => proof.file === file && proof.title === title)) {
        known.push({ file, title });
      }
    }
  }
  for (const { statements } of versions) {
    for (const { id, text, reason } of statements) {
      const proven = (byId.get(id) ?? []).length > 0;
      if (!proven && reason === undefined)
        faults.push(`${id} has neither a test nor a reason: ${text}`);
      if (proven && reason !== undefined) faults.push(`${id} has a test, so it needs no reason`);
    }
  }
  return { byId, faults };
}

/** Ids in comments and messages that no version has. */
export function strayIds(versions, files) {
  const known = new Set(versions.flatMap(({ statements }) => statements.map(({ id }) => id)));
  return files.flatMap(({ file, text }) =>
    [...new Set(idsIn(text))]
      .filter((id) => !known.has(id))
      .map((id) => `${file} names ${id}, which is no statement`),
  );
}
