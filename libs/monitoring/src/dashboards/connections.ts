import { areas, bounded, heat, quantile, rate, series, type Board } from './panel.ts';

/** From the socket to CONNACK, and why connections end. */
export const CONNECTIONS: Board = {
  uid: 'skein-connections',
  title: 'Skein / Connections and TLS',
  description: 'How clients come in, and why they go.',
  job: 'skein-broker',
  rows: [
    {
      title: 'Coming in',
      panels: [
        series(
          ['Funnel', 'count:/s'],
          [
            [rate('skein_broker_sockets_rejected_total{~}'), 'sockets rejected'],
            [rate('skein_broker_tls_handshakes_total{~, outcome="ok"}'), 'TLS handshakes'],
            [rate('skein_broker_authentications_total{~}'), 'logins'],
            [rate('skein_broker_connects_total{~}'), 'CONNACK'],
            [rate('skein_broker_connects_total{~, outcome="success"}'), 'accepted'],
          ],
          [
            'How many get how far each second.',
            'Lines lie upon each other.',
            'The first gap is where clients fail.',
            'auth.md',
          ],
        ),
        bounded(
          series(
            ['Time to CONNACK, p99', 's'],
            [
              [
                quantile(0.99, 'skein_broker_connect_duration_seconds_bucket{~}', 'stage'),
                '{{stage}}',
              ],
            ],
            [
              'How long the stages of a connect take.',
              'Below 100 ms.',
              'auth: the login backend; tls: processor time.',
              'performance.md',
            ],
          ),
          0.1,
          1,
        ),
        areas(
          ['Answers to CONNECT', 'count:/s'],
          [[rate('skein_broker_connects_total{~}', 'outcome', 'reason'), '{{outcome}} {{reason}}']],
          [
            'What clients are told.',
            'success.',
            'server_error is ours, client_error theirs.',
            'runbooks/SkeinSloConnectBurn.md',
          ],
        ),
        areas(
          ['By listener and version', 'short'],
          [
            [
              'sum by (listener, mqtt_version) (skein_broker_connections{~})',
              '{{listener}} {{mqtt_version}}',
            ],
          ],
          [
            'Who is connected through what.',
            'As the fleet is meant to be.',
            'A version that nobody should use: old firmware.',
          ],
        ),
        areas(
          ['Rejected sockets', 'count:/s'],
          [
            [
              rate('skein_broker_sockets_rejected_total{~}', 'listener', 'reason'),
              '{{listener}} {{reason}}',
            ],
          ],
          [
            'Sockets closed before CONNECT.',
            'Near 0.',
            'tls_error: certificates or scanners; max_connections: add nodes.',
            'tls.md',
          ],
        ),
        areas(
          ['Connects held back', 'count:/s'],
          [[rate('skein_broker_connects_throttled_total{~}', 'limiter'), '{{limiter}}']],
          [
            'Connects that had to wait for a rate.',
            '0 outside of storms.',
            'In a storm it protects the others.',
            'tls.md',
          ],
        ),
      ],
    },
    {
      title: 'TLS',
      panels: [
        bounded(
          series(
            ['Certificate, days left', 'suffix: days'],
            [
              [
                '(min by (listener) (skein_broker_tls_certificate_not_after_timestamp_seconds{~}) - time()) / 86400',
                '{{listener}}',
              ],
            ],
            [
              'When the first certificate of a listener ends.',
              'More than 14 days.',
              'Renew it.',
              'runbooks/SkeinBrokerCertificateExpiry.md',
            ],
          ),
          30,
          14,
        ),
        series(
          ['Handshakes resumed', 'percentunit'],
          [
            [
              `${rate('skein_broker_tls_handshakes_total{~, outcome="ok", resumed="true"}', 'listener')} / ${rate('skein_broker_tls_handshakes_total{~, outcome="ok"}', 'listener')}`,
              '{{listener}}',
            ],
          ],
          [
            'Share of handshakes that continued a TLS session.',
            'High after a restart of a node.',
            'Nodes need the same ticket secret.',
            'tls.md',
          ],
        ),
        areas(
          ['Handshakes', 'count:/s'],
          [[rate('skein_broker_tls_handshakes_total{~}', 'outcome'), '{{outcome}}']],
          [
            'Handshakes each second.',
            'Far below 1,000 a core.',
            'Failures: expired or unknown certificates.',
            'performance.md',
          ],
        ),
      ],
    },
    {
      title: 'Who may',
      panels: [
        areas(
          ['Logins', 'count:/s'],
          [
            [
              rate('skein_broker_authentications_total{~}', 'backend', 'outcome'),
              '{{backend}} {{outcome}}',
            ],
          ],
          [
            'Decisions of the login backends.',
            'allowed.',
            'denied: credentials; error: the backend.',
            'runbooks/SkeinBrokerAuthFailureSpike.md',
          ],
        ),
        bounded(
          series(
            ['Time of a login, p99', 's'],
            [
              [
                quantile(0.99, 'skein_broker_authentication_duration_seconds_bucket{~}', 'backend'),
                '{{backend}}',
              ],
            ],
            [
              'How long backends take.',
              'Below 100 ms; password hashes cost some ms.',
              'The backend, or too many logins at once.',
              'auth.md',
            ],
          ),
          0.1,
          1,
        ),
        areas(
          ['Authorization', 'count:/s'],
          [
            [
              rate('skein_broker_authorizations_total{~}', 'action', 'outcome', 'source'),
              '{{action}} {{outcome}} {{source}}',
            ],
          ],
          [
            'Decisions on publishing and subscribing.',
            'Mostly from the cache.',
            'denied: /acl-simulations says which rule.',
            'auth.md',
          ],
        ),
        series(
          ['Bans', 'short'],
          [
            ['max by (kind) (skein_broker_bans{~})', 'bans {{kind}}'],
            [rate('skein_broker_ban_hits_total{~}', 'kind'), 'hits/s {{kind}}'],
          ],
          [
            'Bans in force, and how often they were met.',
            'Few.',
            'Many of one kind: flapping clients or an attack.',
            'security.md',
          ],
        ),
        series(
          ['Found flapping', 'count:/s'],
          [[rate('skein_broker_flapping_total{~}', 'kind'), '{{kind}}']],
          [
            'Client ids and addresses that come and go all the time.',
            '0.',
            'GET /api/v1/bans names them.',
            'security.md',
          ],
        ),
        series(
          ['Quotas met', 'count:/s'],
          [[rate('skein_broker_user_quota_exceeded_total{~}', 'kind'), '{{kind}}']],
          [
            'What was refused because a user has as much as it may.',
            '0.',
            'Raise the quota, or talk to the user.',
            'configuration.md',
          ],
        ),
      ],
    },
    {
      title: 'Staying and going',
      panels: [
        areas(
          ['Disconnects', 'count:/s'],
          [
            [
              rate('skein_broker_disconnects_total{~}', 'initiator', 'reason'),
              '{{initiator}} {{reason}}',
            ],
          ],
          [
            'Who ended connections, and why.',
            'client normal.',
            'network, keepalive_timeout: links and load balancers.',
            'runbooks/SkeinBrokerConnectionDrop.md',
          ],
        ),
        heat(
          ['Lifetime of connections', 's'],
          'skein_broker_connection_duration_seconds_bucket{~}',
          [
            'How long connections that ended had lasted.',
            'A band at the length of a deployment or a day.',
            'A sharp band: a time-out somewhere on the way.',
          ],
        ),
        series(
          ['Sessions', 'count:/s'],
          [[rate('skein_broker_session_events_total{~}', 'event'), '{{event}}']],
          [
            'Sessions made, resumed, taken over, ended.',
            'resumed after restarts.',
            'taken_over all the time: shared client ids.',
          ],
        ),
        bounded(
          series(
            ['Takeover, p99', 's'],
            [
              [
                quantile(0.99, 'skein_broker_session_takeover_duration_seconds_bucket{~}', 'scope'),
                '{{scope}}',
              ],
            ],
            [
              'How long a client waits for its session from another connection or node.',
              'Below 200 ms.',
              'Redis, or a node that does not answer.',
            ],
          ),
          0.2,
          1,
        ),
        bounded(
          series(
            ['Imbalance', 'short'],
            [
              [
                'max(sum by (pod) (skein_broker_connections{~})) / avg(sum by (pod) (skein_broker_connections{~}))',
                'max / average',
              ],
            ],
            [
              'How much fuller the fullest node is than the average.',
              'Below 1.2.',
              'Rebalance.',
              'runbooks/SkeinBrokerConnectionImbalance.md',
            ],
          ),
          1.2,
          1.5,
        ),
        areas(
          ['Sessions by state', 'short'],
          [
            [
              'sum by (state, persistent) (skein_broker_sessions{~})',
              '{{state}} persistent={{persistent}}',
            ],
          ],
          [
            'Sessions by whether their client is there.',
            'Disconnected ones are few.',
            'Growing: sessions that never expire.',
          ],
        ),
      ],
    },
  ],
};
