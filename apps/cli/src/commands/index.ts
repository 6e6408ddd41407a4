import { isOffered, type Command } from '../command.ts';
import { ACCESS_COMMANDS } from './access.ts';
import { API_COMMANDS } from './api.ts';
import { AUTH_COMMANDS } from './auth.ts';
import { BRIDGE_COMMANDS } from './bridge.ts';
import { CLIENT_COMMANDS } from './clients.ts';
import { CLUSTER_COMMANDS } from './cluster.ts';
import { DRAIN_COMMANDS } from './drains.ts';
import { INSIGHT_COMMANDS } from './insight.ts';
import { KEY_COMMANDS } from './keys.ts';
import { MESSAGE_COMMANDS } from './messages.ts';
import { OPERATION_COMMANDS } from './operations.ts';
import { PROFILE_COMMANDS } from './profiles.ts';
import { SETTING_COMMANDS } from './settings.ts';
import { STREAM_COMMANDS } from './streams.ts';
import { WEBHOOK_COMMANDS } from './webhooks.ts';

/** Every command whose operation this version of the API has. */
export const COMMANDS: readonly Command[] = [
  ...CLUSTER_COMMANDS,
  ...DRAIN_COMMANDS,
  ...CLIENT_COMMANDS,
  ...MESSAGE_COMMANDS,
  ...STREAM_COMMANDS,
  ...INSIGHT_COMMANDS,
  ...ACCESS_COMMANDS,
  ...AUTH_COMMANDS,
  ...KEY_COMMANDS,
  ...BRIDGE_COMMANDS,
  ...WEBHOOK_COMMANDS,
  ...SETTING_COMMANDS,
  ...OPERATION_COMMANDS,
  ...API_COMMANDS,
  ...PROFILE_COMMANDS,
].filter(isOffered);
