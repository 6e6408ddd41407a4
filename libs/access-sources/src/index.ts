export {
  ConfiguredUsers,
  type ConfiguredUser,
  type ConfiguredUsersOptions,
  type UserFault,
} from './configured-users.ts';
export { NodeScramCrypto } from './node-scram-crypto.ts';
