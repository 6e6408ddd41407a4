// Values that must be refused, and what has to be said of each. Without `ci` they are laid over the least values.
const TLS = { enabled: true };

export const NEGATIVES = [
  ['a key with a typing error', { set: { brokr: { replicas: 3 } } }, /brokr/],
  ['a text for a number', { set: { 'broker.replicas': '3' } }, /replicas/],
  ['a key of a listener that there is not', { set: { 'listeners.tcp.prot': 1883 } }, /prot/],
  ['a word that is no choice', { set: { 'redis.mode': 'sentinels' } }, /mode/],
  [
    'both autoscalers',
    {
      ci: 'keda',
      set: { 'broker.autoscaling.enabled': true },
    },
    'broker.autoscaling.enabled excludes broker.keda.enabled',
  ],
  [
    'autoscaling beside a number',
    {
      ci: 'hpa',
      set: { 'broker.replicas': 3 },
    },
    'broker.replicas excludes autoscaling: remove it, and set minReplicas.',
  ],
  [
    'the same of the API',
    {
      ci: 'hpa',
      set: { 'api.replicas': 3 },
    },
    'api.replicas excludes api.autoscaling.enabled',
  ],
  [
    'KEDA without Prometheus',
    {
      set: { 'broker.keda.enabled': true },
    },
    'broker.keda.prometheusAddress is required',
  ],
  [
    'TLS without a certificate',
    {
      set: { 'listeners.tls': TLS },
    },
    'listeners.tls speaks TLS and has no certificate: set tls.existingSecret',
  ],
  [
    'cert-manager without an issuer',
    {
      set: { 'listeners.tls': TLS, 'tls.mode': 'certManager' },
    },
    'tls.certManager.issuerName is required',
  ],
  [
    'certificates of clients without an authority',
    {
      set: {
        'listeners.tls': { ...TLS, tls: { clientCertificate: 'require' } },
        'tls.existingSecret': 'certificate',
      },
    },
    'listeners.tls.tls.clientCertificate needs tls.clientCa.existingSecret',
  ],
  [
    'too short a grace',
    {
      set: { 'broker.terminationGracePeriodSeconds': 60 },
    },
    'broker.terminationGracePeriodSeconds must be 105 at least',
  ],
  [
    'a nodePort twice',
    {
      set: {
        services: ['one', 'two'].map((name) => ({
          name,
          type: 'NodePort',
          nodePorts: { tcp: 31883 },
        })),
      },
    },
    'services.two takes the nodePort 31883, which services.one has',
  ],
  [
    'two Services of a name',
    {
      set: { services: [{ name: 'mqtt' }, { name: 'mqtt' }] },
    },
    'services: two are called mqtt',
  ],
  [
    'a Service with a listener that is off',
    {
      set: { services: [{ name: 'mqtt', listeners: ['tls'] }] },
    },
    'services.mqtt names the listener tls, which is not enabled',
  ],
  [
    'two listeners on a port',
    {
      set: { 'listeners.more': { type: 'tcp', port: 1883 } },
    },
    'listeners.tcp.port 1883 is that of listeners.more',
  ],
  [
    'a listener on the ops port',
    {
      set: { 'listeners.tcp.port': 9464 },
    },
    'listeners.tcp.port 9464 is that of broker.opsPort',
  ],
  [
    'a named listener of another type',
    {
      set: { 'listeners.tcp.type': 'ws' },
    },
    'listeners.tcp must be of type tcp',
  ],
  [
    'PROXY protocol from anybody',
    {
      set: { 'listeners.tcp.proxyProtocol': 'required' },
    },
    'listeners.tcp.proxyFrom is required',
  ],
  [
    'a bridge without Kafka',
    {
      set: { 'kafka.enabled': true },
    },
    'kafka.brokers is required by kafka.enabled',
  ],
  [
    'rules without a bridge',
    {
      set: { bridgeRules: [{ id: 'a' }] },
    },
    'bridgeRules need a bridge',
  ],
  [
    'SASL without a Secret',
    {
      set: {
        kafka: { enabled: true, brokers: ['k:9092'], sasl: { mechanism: 'plain', username: 'u' } },
      },
    },
    'kafka.sasl.existingSecret is required',
  ],
  [
    'many nodes without Redis',
    {
      ci: 'single-node',
      set: { 'broker.replicas': 3 },
    },
    'broker.replicas must be 1 with redis.mode none',
  ],
  [
    'the API without Redis',
    {
      ci: 'single-node',
      set: { 'api.enabled': true },
    },
    'api.enabled needs Redis',
  ],
  ['no Redis at all', { set: { 'redis.hosts': [] } }, 'redis.hosts names no Redis'],
  [
    'two Redis of one kind',
    {
      set: { 'redis.hosts': ['a:1', 'b:2'] },
    },
    'redis.hosts must name one server',
  ],
  [
    'an embedded Redis beside another one',
    {
      set: { 'redis.embedded.enabled': true },
    },
    'redis.embedded.enabled excludes redis.hosts',
  ],
  [
    'Sentinels without a master',
    {
      set: { 'redis.mode': 'sentinel' },
    },
    'redis.masterName is required',
  ],
  [
    'a user of Redis without a password',
    {
      set: { 'redis.username': 'skein' },
    },
    'redis.username needs a password',
  ],
  [
    'a volume for a Deployment',
    {
      set: { 'broker.persistence.enabled': true },
    },
    'broker.persistence.enabled needs broker.workload: StatefulSet',
  ],
  [
    'a spool on the disk of a Deployment',
    {
      set: { 'broker.spool.kind': 'local' },
    },
    'broker.spool.kind local needs broker.workload: StatefulSet',
  ],
  [
    'a spool without a volume',
    {
      ci: 'statefulset',
      set: { 'broker.persistence.enabled': false },
    },
    'broker.spool.kind local needs broker.persistence.enabled',
  ],
  [
    'nobody who may connect',
    {
      set: { 'broker.config': { auth: { anonymous: false } } },
    },
    'broker.config.auth says not who may connect',
  ],
  [
    'a secret in the configuration',
    {
      set: { 'broker.config.auth': { anonymous: true, saltSecret: 'x' } },
    },
    'broker.config.auth.saltSecret is a secret',
  ],
  [
    'a key of the API in the values',
    {
      set: { 'api.config': { key: 'x' } },
    },
    'api.config.key is a secret: name a Secret in api.key.existingSecret',
  ],
  [
    'a section that is made elsewhere',
    {
      set: { 'broker.config.drain': { durationSeconds: 5 } },
    },
    'broker.config.drain is what other values make',
  ],
  [
    'a spool behind the back of the guards',
    {
      set: { 'broker.config.bridge': { spool: { kind: 'local' } } },
    },
    'broker.config.bridge.spool is what broker.spool makes',
  ],
  [
    'a hook before an uninstall that has no key',
    {
      set: { 'drain.onUninstall': false },
    },
    'drain.onUninstall: false needs the admin API and a key of it',
  ],
  [
    'backups of a node',
    {
      set: { 'broker.config.backups': { dir: '/tmp' } },
    },
    'broker.config.backups is nothing of nodes: see api.backups',
  ],
  [
    'a volume for backups that one pod has for itself',
    {
      ci: 'backups',
      set: { 'api.backups.accessModes': ['ReadWriteOnce'] },
    },
    'api.backups.accessModes must have ReadWriteMany with more than one process of the API',
  ],
  [
    'a further certificate without names',
    {
      ci: 'tls-existing',
      set: { 'listeners.tls.tls.sni': [{ existingSecret: 'x' }] },
    },
    /names/,
  ],
  [
    'an Ingress for raw MQTT',
    {
      ci: 'ws-ingress',
      set: { 'broker.websocketIngress.listener': 'tcp' },
    },
    'must name an enabled listener of type ws: an Ingress carries no raw MQTT',
  ],
  [
    'a route without a gateway',
    {
      set: { 'gateway.enabled': true },
    },
    'gateway.parentRefs is required',
  ],
  [
    'a limit of memory that is none',
    {
      set: { 'broker.resources.limits.memory': '1 GB' },
    },
    '"1 GB" is not a quantity',
  ],
  [
    'a number of no alert',
    {
      ci: 'monitoring',
      set: { 'monitoring.prometheusRule.thresholds': { heap: 1 } },
    },
    'monitoring.prometheusRule.thresholds.heap is not a number of any alert',
  ],
].map(([title, options, message]) => ({ title, options, message }));
