import { z } from 'zod';
import { file, flag, host, milliseconds, section, whole } from './kinds.ts';
import { isNetwork } from './network.ts';
import { mountpoint } from './topic-rule.ts';

const rules = section({
  qosMax: z
    .union([z.literal(0), z.literal(1), z.literal(2)])
    .default(2)
    .meta({
      description:
        'Highest QoS that clients may publish with and are granted; v5 clients are told.',
      expects: '0, 1 or 2',
    }),
  retain: flag('Whether clients may have messages retained; else 0x9A.', true),
  wildcardSubscriptions: flag('Whether filters may hold `+` and `#`; else 0xA2.', true),
  sharedSubscriptions: flag('Whether filters may begin with `$share/`; else 0x9E.', true),
  sessionExpirySecondsMax: whole(
    'Longest session expiry interval granted, where it is less than that of `limits`; for 3.1 and 3.1.1 as well.',
    { default: 4_294_967_295, min: 0, max: 4_294_967_295, unit: 's' },
  ),
  mountpoint,
  payloadFormatCheck: flag(
    'Whether a payload that its v5 publisher declares as text must be UTF-8; else 0x99.',
    false,
  ),
  shortClientIds: flag('Whether MQTT 3.1 clients need an id of 1 to 23 characters.', false),
  responseInformation: z.string().min(1).max(1024).exactOptional().meta({
    description:
      'What v5 clients are told that ask for Response Information, for example `answers/${clientId}/`.',
    expects: 'a text in which ${clientId} stands for the client id',
  }),
});

const path = z
  .string()
  .regex(/^\/[^\s?#]{0,255}$/)
  .default('/mqtt')
  .meta({
    description: 'Path of the WebSocket endpoint; every other path answers 404.',
    expects: 'a path that starts with a slash, without query',
  });

const pem = (expects: string) =>
  z
    .string({ error: `must be ${expects}` })
    .min(1)
    .max(4096);

/** A further certificate, for the names that a client asks for. */
export const sniCertificate = z.strictObject(
  {
    names: z
      .array(
        z.string().regex(/^(?:\*\.)?(?:[a-z0-9-]{1,63}\.)*[a-z0-9-]{1,63}$/, {
          error: 'must be a host name in lower case, or one that begins with `*.`',
        }),
        { error: 'must be a list of host names' },
      )
      .min(1, { error: 'must hold a name' })
      .max(100, { error: 'must hold at most 100 names' })
      .meta({
        description: 'The host names; `*.` at the start stands for one label.',
        expects: 'a list of host names in lower case',
      }),
    certFile: pem('a file path').meta({
      description: 'PEM file with its certificate and those between it and the root.',
      expects: 'a file path',
    }),
    keyFile: pem('a file path').meta({
      description: 'PEM file with its private key.',
      expects: 'a file path',
    }),
  },
  { error: 'must be a map with names, certFile and keyFile' },
);

const tlsShape = {
  certFile: file(
    'PEM file with the certificate and those between it and the root. Required where the listener is enabled.',
  ),
  keyFile: file('PEM file with the private key, not encrypted. Required as certFile is.'),
  caFile: file('PEM file with the authorities that certificates of clients may come from.'),
  crlFile: file(
    'PEM file with revocation lists, one of every authority in `caFile`; an expired list lets in nobody with a certificate.',
  ),
  clientCertificate: z.enum(['none', 'request', 'require']).default('none').meta({
    description:
      'Whether clients are asked for a certificate; with `request` they may go without, but one that does not hold is refused. Needs caFile.',
  }),
  minVersion: z
    .enum(['TLSv1.2', 'TLSv1.3'])
    .default('TLSv1.2')
    .meta({ description: 'Lowest version of TLS.' }),
  handshakeTimeoutMs: milliseconds('How long the TLS handshake may take.', {
    default: 10_000,
    min: 100,
    max: 120_000,
  }),
  sni: z.array(sniCertificate).max(100).default([]).meta({
    description: 'Further certificates by host name. See “Further certificates”.',
    expects: 'a list of certificates',
  }),
};

const portOf = (what: string) =>
  z
    .int()
    .min(0)
    .max(65_535)
    .meta({
      description: `Port of ${what}. 0 lets the system choose.`,
      unit: 'port',
    });

const connects = (description: string, fallback: number) =>
  whole(description, { default: fallback, min: 0, max: 1_000_000, unit: 'connections/s' });

const burst = (description: string, fallback: number) =>
  whole(description, { default: fallback, min: 1, max: 1_000_000, unit: 'connections' });

const common = () => ({
  host: host('Address to listen on.'),
  connectionsMax: z.int().min(1).max(10_000_000).exactOptional().meta({
    description:
      'Most connections open at once; one more is closed before its CONNECT is read. The default is 100,000, or a fair part of what the limit of open files leaves when that is less.',
    unit: 'connections',
  }),
  connectsPerSecond: connects(
    'Connections that may be opened each second for long; others are closed before anything is read, TLS included. 0 sets no bound.',
    1_000,
  ),
  connectBurst: burst('Connections that may be opened at once after a rest.', 5_000),
  connectsPerSecondPerAddress: connects(
    'The same for each address: an IPv4 address, or the /64 of an IPv6 one. Behind a proxy it is the address of the client. 0 sets no bound.',
    100,
  ),
  connectBurstPerAddress: burst(
    'Connections that one address may open at once after a rest; many devices may share one.',
    1_000,
  ),
  proxyProtocol: z.enum(['off', 'required']).default('off').meta({
    description:
      'Whether every connection begins with a header of the PROXY protocol, version 1 or 2, before TLS, that tells where the client is. With `required` one without it is refused; with `off` it is junk like any other.',
  }),
  proxyFrom: z
    .array(
      z.string().refine(isNetwork, {
        error: 'must be an IP address or a network such as 10.0.0.0/8',
      }),
    )
    .max(64)
    .default([])
    .meta({
      description:
        'Addresses of the proxies, with `proxyProtocol: required`; connections from anywhere else are refused.',
      expects: 'a list of IP addresses and networks',
    }),
});

const transport = <Name extends 'tcp' | 'ws'>(name: Name, expects: string) =>
  z.literal(name).meta({ description: 'What carries MQTT.', expects });

const named = <Name extends 'tcp' | 'ws'>(
  carrier: Name,
  { what, port, enabled }: { what: string; port: number; enabled: boolean },
) => ({
  enabled: flag(`Whether to accept ${what}.`, enabled),
  transport: transport(carrier, `\`${carrier}\``).default(carrier as never),
  port: portOf(what).default(port),
  ...common(),
});

const further = <Name extends 'tcp' | 'ws'>(carrier: Name) => ({
  transport: transport(carrier, '`tcp` or `ws`'),
  enabled: flag('Whether to accept connections.', true),
  port: portOf('the listener'),
  ...common(),
  tls: z.strictObject(tlsShape).exactOptional(),
  rules,
});

/** A listener of any other name. */
export const furtherListener = z.discriminatedUnion('transport', [
  z.strictObject(further('tcp')),
  z.strictObject({ ...further('ws'), path }),
]);

const tls = section(tlsShape);

const OVER_TCP = { what: 'MQTT over TCP', port: 1883, enabled: true };
const OVER_WS = { what: 'MQTT over WebSocket', port: 8083, enabled: true };
const OVER_TLS = { what: 'MQTT over TLS', port: 8883, enabled: false };
const OVER_WSS = { what: 'MQTT over WebSocket and TLS', port: 8084, enabled: false };

/** Listeners by name. */
export const listeners = z
  .strictObject({
    tcp: section({ ...named('tcp', OVER_TCP), rules }),
    ws: section({ ...named('ws', OVER_WS), path, rules }),
    tls: section({ ...named('tcp', OVER_TLS), tls, rules }),
    wss: section({ ...named('ws', OVER_WSS), path, tls, rules }),
  })
  .catchall(furtherListener)
  .prefault({});
