import { isOffered, type Command } from '../command.ts';
import { ACCESS_COMMANDS } from './access.ts';
import { API_COMMANDS } from './api.ts';
import { BRIDGE_COMMANDS } from './bridge.ts';
import { CLIENT_COMMANDS } from './clients.ts';
import { CLUSTER_COMMANDS } from './cluster.ts';
import { DRAIN_COMMANDS } from './drains.ts';
import { KEY_COMMANDS } from './keys.ts';
import { MESSAGE_COMMANDS } from './messages.ts';
import { PROFILE_COMMANDS } from './profiles.ts';

/** Every command whose operation this version of the API has. */
export const COMMANDS: readonly Command[] = [
  ...CLUSTER_COMMANDS,
  ...DRAIN_COMMANDS,
  ...CLIENT_COMMANDS,
  ...MESSAGE_COMMANDS,
  ...ACCESS_COMMANDS,
  ...KEY_COMMANDS,
  ...BRIDGE_COMMANDS,
  ...API_COMMANDS,
  ...PROFILE_COMMANDS,
].filter(isOffered);
