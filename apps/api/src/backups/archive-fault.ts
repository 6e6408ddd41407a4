/** An archive cannot be read: the place, and what is wrong with it. */
export class ArchiveFault extends Error {
  override readonly name = 'ArchiveFault';
  readonly code = 'ARCHIVE_FAULT';

  /** @param place - for example `line 7` or `byte 65536`. */
  constructor(place: string, problem: string) {
    super(`${place}: ${problem}`);
  }
}
