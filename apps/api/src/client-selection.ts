/** What a client is told that an administrator disconnects. */
export const ADMINISTRATIVE_ACTION = 0x98;
