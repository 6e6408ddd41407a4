/** Filters that many nodes want: one for each site. */
const SITES = 1_000;

/** A client id, and the level of its topics. */
export const deviceOf = (index) => `device-${String(index).padStart(8, '0')}`;

/** What the routes of a fleet look like, by number: in the mix nine in ten are commands to one device. */
export const KINDS = {
  device: (index) => `devices/${deviceOf(index)}/cmd/#`,
  exact: (index) => `devices/${deviceOf(index)}/config`,
  plus: (index) => `devices/${deviceOf(index)}/+/set`,
  site: (index) => `sites/site-${String(Math.floor(index / 20) % SITES)}/+/alarms/#`,
  mix: (index) => KINDS[['exact', 'site'][index % 20] ?? 'device'](index),
};
