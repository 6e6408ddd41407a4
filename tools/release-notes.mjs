// Prints what the changelog says of a release; its tag must be the version in package.json.
// usage: node tools/release-notes.mjs v1.2.3
import { readFileSync } from 'node:fs';

const root = new URL('..', import.meta.url);

/**
 * The section of a version in a changelog as keepachangelog.com has it, without its heading.
 *
 * @throws Error when it is not there or says nothing.
 */
export function notesOf(changelog, version) {
  const sections = changelog.split(/^## /m).slice(1);
  const section = sections.find((each) => each.startsWith(`[${version}]`));
  const notes = section?.slice(section.indexOf('\n')).trim();
  if (!notes)
    throw new Error(
      `CHANGELOG.md says nothing under "## [${version}]": move what is under [Unreleased] there`,
    );
  return notes;
}

/** The notes of a tag. @throws Error when the tag is not the version that package.json has. */
export function notesOfTag(tag, { version, changelog }) {
  if (tag !== `v${version}`) {
    throw new Error(
      `the tag is "${tag}" and package.json has the version ${version}: the tag must be v${version}`,
    );
  }
  return notesOf(changelog, version);
}

if (import.meta.main) {
  try {
    const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
    const changelog = readFileSync(new URL('CHANGELOG.md', root), 'utf8');
    console.log(notesOfTag(process.argv[2] ?? '', { version, changelog }));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
