// Shapes of items in the chart's values that have no default to be read from.
const text = (description, more = {}) => ({ description, type: 'string', ...more });
const whole = (description, minimum, maximum) => ({
  description,
  type: 'integer',
  minimum,
  maximum,
});
const choice = (description, ...values) => ({ description, enum: values });
const portsByListener = (description) => ({
  description,
  type: 'object',
  additionalProperties: { type: 'integer', minimum: 1, maximum: 65_535 },
});
const object = (title, properties, required = []) => ({
  ...{ title, type: 'object', additionalProperties: false },
  ...{ required, properties },
});

const listenerTls = object('TLS of a listener', {
  existingSecret: text('Secret with tls.crt and tls.key, instead of that of `tls`.'),
  clientCertificate: choice(
    'Whether clients are asked for a certificate.',
    'none',
    'request',
    'require',
  ),
  minVersion: choice('Lowest version of TLS.', 'TLSv1.2', 'TLSv1.3'),
  handshakeTimeoutMs: whole('How long the handshake may take.', 100, 120_000),
  sni: {
    description:
      'Further certificates for the host names that clients ask for: `{names, existingSecret}`.',
    type: 'array',
    items: object(
      'A further certificate',
      {
        names: {
          ...{ description: 'Host names; `*.` stands for one label.', type: 'array', minItems: 1 },
          items: { type: 'string' },
        },
        existingSecret: text('Secret with tls.crt and tls.key.', { minLength: 1 }),
      },
      ['names', 'existingSecret'],
    ),
  },
});

const listener = object('A listener', {
  enabled: { description: 'Whether it is opened.', type: 'boolean' },
  type: choice('What it speaks.', 'tcp', 'ws', 'tls', 'wss'),
  port: whole('Port in the pod.', 1, 65_535),
  path: text('Path, of types ws and wss.', { pattern: '^/' }),
  connectionsMax: whole('Most connections of a node.', 1, 10_000_000),
  connectsPerSecond: whole(
    'Connections that may be opened each second at a node; 0: no bound.',
    0,
    1_000_000,
  ),
  connectBurst: whole('Connections that may be opened at once after a rest.', 1, 1_000_000),
  connectsPerSecondPerAddress: whole('The same for each address; 0: no bound.', 0, 1_000_000),
  connectBurstPerAddress: whole('Connections that one address may open at once.', 1, 1_000_000),
  proxyProtocol: choice(
    'Whether every connection begins with a PROXY header, version 1 or 2.',
    'off',
    'required',
  ),
  proxyFrom: {
    ...{
      description: 'Networks of the load balancer; required by `proxyProtocol: required`.',
      type: 'array',
    },
    items: { type: 'string' },
  },
  rules: {
    description: '`listeners.*.rules` of the configuration: qosMax, retain, mountpoint and so on.',
    ...{ type: 'object', additionalProperties: true },
  },
  tls: { description: 'TLS, of types tls and wss.', ...listenerTls },
});

const service = object(
  'A Service',
  {
    name: text('Its name, behind the full name.', { pattern: '^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$' }),
    type: choice('Type.', 'ClusterIP', 'NodePort', 'LoadBalancer'),
    listeners: {
      ...{
        description: 'Listeners that it has; without them all that are enabled.',
        type: 'array',
      },
      items: { type: 'string' },
    },
    ports: portsByListener('Port of a listener at the Service, where it is another one.'),
    nodePorts: portsByListener('Port of a listener at the machines.'),
    labels: {
      ...{ description: 'Labels. Values are templates.', type: 'object' },
      additionalProperties: { type: 'string' },
    },
    annotations: {
      ...{ description: 'Annotations. Values are templates.', type: 'object' },
      additionalProperties: { type: 'string' },
    },
    externalTrafficPolicy: choice(
      'By default `Local` of a LoadBalancer: the address of the client is kept.',
      'Local',
      'Cluster',
    ),
    internalTrafficPolicy: choice('Where traffic from inside goes.', 'Local', 'Cluster'),
    loadBalancerClass: text('Which load balancer.'),
    loadBalancerIP: text('Its address, where that is asked for so.'),
    loadBalancerSourceRanges: {
      ...{ description: 'Networks that may come.', type: 'array' },
      items: { type: 'string' },
    },
    allocateLoadBalancerNodePorts: {
      description: 'Whether machines have ports for it.',
      type: 'boolean',
    },
    ipFamilyPolicy: choice('IP families.', 'SingleStack', 'PreferDualStack', 'RequireDualStack'),
    trafficDistribution: text('Such as PreferClose; from Kubernetes 1.31 on.'),
    sessionAffinity: choice('Any node serves any session: there is none.', 'None'),
  },
  ['name'],
);

const secretFiles = object(
  'A Secret as files',
  {
    secretName: text('The Secret.', { minLength: 1 }),
    mountPath: text('The directory that its keys are files of.', { pattern: '^/' }),
  },
  ['secretName', 'mountPath'],
);

/** By the names that `@schema` comments refer to. */
export const definitions = { listener, service, secretFiles };
