const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/;

/** Whether a host is the machine itself. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}
