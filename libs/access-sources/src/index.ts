export { CertificateSource, type CertificateName } from './certificate-source.ts';
export {
  ConfiguredUsers,
  type ConfiguredUser,
  type ConfiguredUsersOptions,
  type UserFault,
} from './configured-users.ts';
export { LinearClientIdPatterns } from './linear-client-id-patterns.ts';
export { credentialOfMosquitto, type ForeignHash } from './mosquitto-hash.ts';
export { NodeScramCrypto } from './node-scram-crypto.ts';
export { StoredUsers } from './stored-users.ts';
export {
  StoredCredentials,
  type CredentialOptions,
  type MadeCredentials,
} from './stored-credentials.ts';
export type { ClaimNames, ParseRules } from './jwt/jwt-claims.ts';
export { JwtSource, type JwtSourceParts } from './jwt/jwt-source.ts';
export { claimOf, groupsOf } from './jwt/jwt-claims.ts';
export type { JwtVerifierParts, TokenKey, VerifiedToken } from './jwt/jwt-verifier.ts';
export { TokenVerifier, type TokenVerifierSettings } from './jwt/token-verifier.ts';
export { openJwtSource, type JwtKeySettings } from './jwt/open-jwt-source.ts';
export type { OpenedSource, SourceFault } from './source-fault.ts';
export { openWebhookSource, type WebhookSettings } from './webhook/open-webhook-source.ts';
export { WebhookSource, type WebhookSourceParts } from './webhook/webhook-source.ts';
