export { Acl, PrincipalAcl, type AccessRequest, type AccessVerdict } from './acl/acl.ts';
export type { AclAction, AclEffect, AclRule, AclSubjects } from './acl/acl-rule.ts';
export { AddressRange, networkOf } from './acl/address-range.ts';
export { Gate } from './gate.ts';
export { AddressRates } from './address-rates.ts';
export { AccessControl, ClientAccess, type UserAccess } from './acl/client-access.ts';
export {
  BAN_REASON_MAX,
  banIdOf,
  banSubject,
  type Ban,
  BAN_KINDS,
  type BanKind,
  type BanSubject,
  subjectOfBanId,
} from './bans/ban.ts';
export { BanList, type BanCandidate } from './bans/ban-list.ts';
export {
  MATCHED_CHARACTERS_MAX,
  PATTERN_CHARACTERS_MAX,
  PATTERN_COST_MAX,
  type ClientIdPatterns,
  type PatternMatch,
} from './bans/client-id-patterns.ts';
export { ClientIdRule } from './client-id-rule.ts';
export { AuthChain, type AuthChainParts } from './auth-chain.ts';
export type { AuthSource, SourceVerdict } from './auth-source.ts';
export type { AuthBackend, Identity, Login } from './identity.ts';
export type { AuthExchange, AuthStep, Authenticator, LoginVerdict } from './authenticator.ts';
export { PasswordCheck, type PasswordCheckParts, type PasswordVerdict } from './password-check.ts';
export {
  formatPasswordHash,
  hashCostOf,
  parsePasswordHash,
  PASSWORD_KEY_BYTES,
  PASSWORD_SALT_BYTES,
  type HashCost,
  type PasswordHash,
  type PasswordHasher,
} from './password-hash.ts';
export { saslprep, type Prepared } from './saslprep.ts';
export {
  deriveScramCredential,
  formatScramCredential,
  parseScramCredential,
  saltOf,
  SCRAM_ITERATIONS_MIN,
  type ScramCredential,
} from './scram-credential.ts';
export type { ScramCrypto } from './scram-crypto.ts';
export { ScramExchange } from './scram-exchange.ts';
export { isScramMechanism, SCRAM_MECHANISMS, type ScramMechanism } from './scram-mechanism.ts';
export type { ChangingDirectory, KnownUser, UserDirectory } from './user-directory.ts';
export { UserSource } from './user-source.ts';
export type { Principal } from './principal.ts';
export { TokenBucket, type Rate } from './token-bucket.ts';
export {
  ACL_DOCUMENT_ID,
  AUTH_DOCUMENT_ID,
  FLAPPING_DOCUMENT_ID,
  type AclDocument,
  type AuthDocument,
  type StoredAuthBackend,
  type FlappingDocument,
  type StoredUser,
} from './stored-access.ts';
