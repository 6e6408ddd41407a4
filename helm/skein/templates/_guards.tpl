{{/* Finds what contradicts itself among the values; fails with all of it at once. */}}
{{- define "skein.guards" -}}
{{- $faults := concat (include "skein.guards.broker" . | fromJsonArray) (include "skein.guards.listeners" . | fromJsonArray) (include "skein.guards.outside" . | fromJsonArray) -}}
{{- if $faults -}}
{{- fail (printf "\n\nThe values contradict themselves:\n  - %s\n" (join "\n  - " $faults)) -}}
{{- end -}}
{{- end -}}

{{- define "skein.guards.broker" -}}
{{- $faults := list -}}
{{- $broker := .Values.broker -}}
{{- $auth := default (dict) (get $broker.config "auth") -}}
{{- if not (or $auth.anonymous $auth.chain $auth.users) -}}
{{- $faults = append $faults "broker.config.auth says not who may connect: set auth.chain or auth.users, or auth.anonymous: true to let everybody in." -}}
{{- end -}}
{{- if and $broker.autoscaling.enabled $broker.keda.enabled -}}
{{- $faults = append $faults "broker.autoscaling.enabled excludes broker.keda.enabled: KEDA makes an autoscaler of its own." -}}
{{- end -}}
{{- if and (include "skein.broker.isScaled" .) (not (kindIs "invalid" $broker.replicas)) -}}
{{- $faults = append $faults "broker.replicas excludes autoscaling: remove it, and set minReplicas." -}}
{{- end -}}
{{- if and .Values.api.autoscaling.enabled (not (kindIs "invalid" .Values.api.replicas)) -}}
{{- $faults = append $faults "api.replicas excludes api.autoscaling.enabled: remove it, and set minReplicas." -}}
{{- end -}}
{{- if and $broker.keda.enabled (not $broker.keda.prometheusAddress) -}}
{{- $faults = append $faults "broker.keda.prometheusAddress is required by broker.keda.enabled." -}}
{{- end -}}
{{- if and $broker.keda.enabled (not (or $broker.keda.targetConnections $broker.keda.targetEventLoopUtilization)) -}}
{{- $faults = append $faults "broker.keda scales by nothing: set targetConnections or targetEventLoopUtilization." -}}
{{- end -}}
{{- if and $broker.autoscaling.enabled (not (or $broker.autoscaling.targetCpuPercent $broker.autoscaling.targetConnections $broker.autoscaling.targetEventLoopUtilization)) -}}
{{- $faults = append $faults "broker.autoscaling scales by nothing: set targetCpuPercent, targetConnections or targetEventLoopUtilization." -}}
{{- end -}}
{{- if not (include "skein.hasRedis" .) -}}
{{- if or (include "skein.broker.isScaled" .) (gt (include "skein.broker.replicas" . | int) 1) -}}
{{- $faults = append $faults "broker.replicas must be 1 with redis.mode none: nodes meet in Redis." -}}
{{- end -}}
{{- if .Values.api.enabled -}}
{{- $faults = append $faults "api.enabled needs Redis: set api.enabled: false with redis.mode none." -}}
{{- end -}}
{{- if eq $broker.spool.kind "redis" -}}
{{- $faults = append $faults "broker.spool.kind redis needs Redis: take local with redis.mode none." -}}
{{- end -}}
{{- end -}}
{{- if ne $broker.workload "StatefulSet" -}}
{{- if $broker.persistence.enabled -}}
{{- $faults = append $faults "broker.persistence.enabled needs broker.workload: StatefulSet: pods of a Deployment would share one volume, and a spool belongs to one node." -}}
{{- end -}}
{{- if eq $broker.spool.kind "local" -}}
{{- $faults = append $faults "broker.spool.kind local needs broker.workload: StatefulSet and broker.persistence.enabled: a pod of a Deployment never comes back to its disk. Or take broker.spool.kind: redis." -}}
{{- end -}}
{{- else if and (eq $broker.spool.kind "local") (not $broker.persistence.enabled) -}}
{{- $faults = append $faults "broker.spool.kind local needs broker.persistence.enabled: acknowledged records would be gone with the pod." -}}
{{- end -}}
{{- with $broker.terminationGracePeriodSeconds -}}
{{- $least := include "skein.graceSecondsMin" $ | int -}}
{{- if lt (int .) $least -}}
{{- $faults = append $faults (printf "broker.terminationGracePeriodSeconds must be %d at least: pre-stop %v s, lame duck %v s, drain %s s, 30 s to hand over. Lower drain, or remove it." $least $.Values.drain.preStopSeconds $.Values.drain.lameDuckSeconds (include "skein.shedSeconds" $)) -}}
{{- end -}}
{{- end -}}
{{- range $path := list "redis.password" "redis.sentinelPassword" "api.key" "auth.saltSecret" -}}
{{- $keys := splitList "." $path -}}
{{- $section := default (dict) (get $broker.config (first $keys)) -}}
{{- if hasKey $section (last $keys) -}}
{{- $faults = append $faults (printf "broker.config.%s is a secret: name a file of broker.secretFiles in %sFile." $path $path) -}}
{{- end -}}
{{- end -}}
{{- range $section := list "listeners" "redis" "bridges" "bridgeRules" "drain" "log" "ops" "node" "api" "commands" "data" -}}
{{- if hasKey $broker.config $section -}}
{{- $faults = append $faults (printf "broker.config.%s is what other values make: see listeners, redis, kafka, bridges, bridgeRules, drain, log, api." $section) -}}
{{- end -}}
{{- end -}}
{{- if and (not .Values.drain.onUninstall) (or (not .Values.api.enabled) (not (or .Values.drain.uninstallKey.existingSecret .Values.api.key.existingSecret))) -}}
{{- $faults = append $faults "drain.onUninstall: false needs the admin API and a key of it: set api.enabled, and api.key.existingSecret or drain.uninstallKey.existingSecret." -}}
{{- end -}}
{{- if hasKey $broker.config "backups" -}}
{{- $faults = append $faults "broker.config.backups is nothing of nodes: see api.backups." -}}
{{- end -}}
{{- if hasKey (default (dict) (get $broker.config "bridge")) "spool" -}}
{{- $faults = append $faults "broker.config.bridge.spool is what broker.spool makes." -}}
{{- end -}}
{{- if and .Values.api.backups.enabled (not (has "ReadWriteMany" .Values.api.backups.accessModes)) -}}
{{- if or .Values.api.autoscaling.enabled (gt (include "skein.api.replicas" . | int) 1) -}}
{{- $faults = append $faults "api.backups.accessModes must have ReadWriteMany with more than one process of the API: they share the volume. Or set api.replicas: 1." -}}
{{- end -}}
{{- end -}}
{{- if hasKey .Values.api.config "key" -}}
{{- $faults = append $faults "api.config.key is a secret: name a Secret in api.key.existingSecret." -}}
{{- end -}}
{{- $faults | toJson -}}
{{- end -}}

{{- define "skein.guards.listeners" -}}
{{- $faults := list -}}
{{- $enabled := splitList " " (include "skein.listeners" .) | compact -}}
{{- if not $enabled -}}
{{- $faults = append $faults "listeners: none is enabled." -}}
{{- end -}}
{{- $ports := dict (toString .Values.broker.opsPort) "broker.opsPort" -}}
{{- range $name := $enabled -}}
{{- $listener := get $.Values.listeners $name -}}
{{- if or (not $listener.type) (not $listener.port) -}}
{{- $faults = append $faults (printf "listeners.%s needs a type and a port." $name) -}}
{{- else -}}
{{- if and (has $name (list "tcp" "ws" "tls" "wss")) (ne $name $listener.type) -}}
{{- $faults = append $faults (printf "listeners.%s must be of type %s; give one of another type another name." $name $name) -}}
{{- end -}}
{{- with get $ports (toString $listener.port) -}}
{{- $faults = append $faults (printf "listeners.%s.port %v is that of %s." $name $listener.port .) -}}
{{- end -}}
{{- $_ := set $ports (toString $listener.port) (printf "listeners.%s" $name) -}}
{{- if and (include "skein.isTls" $listener.type) (not (include "skein.tlsSecret" (dict "root" $ "listener" $listener))) -}}
{{- $faults = append $faults (printf "listeners.%s speaks TLS and has no certificate: set tls.existingSecret, listeners.%s.tls.existingSecret, or tls.mode: certManager with an issuer." $name $name) -}}
{{- end -}}
{{- if and (eq (default "off" $listener.proxyProtocol) "required") (not $listener.proxyFrom) -}}
{{- $faults = append $faults (printf "listeners.%s.proxyFrom is required by proxyProtocol: required: name the networks of the load balancer." $name) -}}
{{- end -}}
{{- $own := default (dict) $listener.tls -}}
{{- if and (ne (default "none" $own.clientCertificate) "none") (not $.Values.tls.clientCa.existingSecret) -}}
{{- $faults = append $faults (printf "listeners.%s.tls.clientCertificate needs tls.clientCa.existingSecret." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.tls.mode "certManager") (not .Values.tls.certManager.issuerName) -}}
{{- $faults = append $faults "tls.certManager.issuerName is required by tls.mode: certManager." -}}
{{- end -}}
{{- $nodePorts := dict -}}
{{- $names := dict -}}
{{- range $service := .Values.services -}}
{{- if hasKey $names $service.name -}}
{{- $faults = append $faults (printf "services: two are called %s." $service.name) -}}
{{- end -}}
{{- $_ := set $names $service.name true -}}
{{- if has $service.name (list "api" "redis" "headless") -}}
{{- $faults = append $faults (printf "services: %s is a name of the chart's own; take another one." $service.name) -}}
{{- end -}}
{{- range $listener := $service.listeners -}}
{{- if not (has $listener $enabled) -}}
{{- $faults = append $faults (printf "services.%s names the listener %s, which is not enabled." $service.name $listener) -}}
{{- end -}}
{{- end -}}
{{- range $listener, $port := $service.nodePorts -}}
{{- with get $nodePorts (toString $port) -}}
{{- $faults = append $faults (printf "services.%s takes the nodePort %v, which %s has." $service.name $port .) -}}
{{- end -}}
{{- $_ := set $nodePorts (toString $port) (printf "services.%s" $service.name) -}}
{{- end -}}
{{- end -}}
{{- if .Values.broker.websocketIngress.enabled -}}
{{- $listener := default (dict) (get .Values.listeners .Values.broker.websocketIngress.listener) -}}
{{- if or (not (has .Values.broker.websocketIngress.listener $enabled)) (ne (toString $listener.type) "ws") -}}
{{- $faults = append $faults "broker.websocketIngress.listener must name an enabled listener of type ws: an Ingress carries no raw MQTT." -}}
{{- end -}}
{{- end -}}
{{- if .Values.gateway.enabled -}}
{{- range list (list "websocket" "ws") (list "tls" "tls") -}}
{{- $kind := first . -}}
{{- if get $.Values.gateway (printf "%sHostnames" $kind) -}}
{{- $name := get $.Values.gateway (printf "%sListener" $kind) -}}
{{- $listener := default (dict) (get $.Values.listeners $name) -}}
{{- if or (not (has $name $enabled)) (ne (toString $listener.type) (last .)) -}}
{{- $faults = append $faults (printf "gateway.%sListener must name an enabled listener of type %s." $kind (last .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not .Values.gateway.parentRefs -}}
{{- $faults = append $faults "gateway.parentRefs is required by gateway.enabled." -}}
{{- end -}}
{{- end -}}
{{- $faults | toJson -}}
{{- end -}}

{{- define "skein.guards.outside" -}}
{{- $faults := list -}}
{{- $redis := .Values.redis -}}
{{- if $redis.embedded.enabled -}}
{{- if or $redis.hosts (ne $redis.mode "standalone") -}}
{{- $faults = append $faults "redis.embedded.enabled excludes redis.hosts and any mode but standalone." -}}
{{- end -}}
{{- if or $redis.existingSecret $redis.username $redis.tls.enabled -}}
{{- $faults = append $faults "redis.embedded has neither password nor TLS: remove redis.existingSecret, redis.username and redis.tls.enabled." -}}
{{- end -}}
{{- else if and (ne $redis.mode "none") (not $redis.hosts) -}}
{{- $faults = append $faults "redis.hosts names no Redis: set it, or redis.embedded.enabled: true to try Skein, or redis.mode: none for one node alone." -}}
{{- end -}}
{{- if and (eq $redis.mode "standalone") (gt (len $redis.hosts) 1) -}}
{{- $faults = append $faults "redis.hosts must name one server with redis.mode: standalone." -}}
{{- end -}}
{{- if and (eq $redis.mode "sentinel") (not $redis.masterName) -}}
{{- $faults = append $faults "redis.masterName is required by redis.mode: sentinel." -}}
{{- end -}}
{{- if and $redis.username (not $redis.existingSecret) -}}
{{- $faults = append $faults "redis.username needs a password: set redis.existingSecret." -}}
{{- end -}}
{{- if and (eq $redis.mode "cluster") (ne (int $redis.database) 0) -}}
{{- $faults = append $faults "redis.database must be 0 with redis.mode: cluster: use redis.keyPrefix." -}}
{{- end -}}
{{- if and .Values.kafka.enabled (not .Values.kafka.brokers) -}}
{{- $faults = append $faults "kafka.brokers is required by kafka.enabled." -}}
{{- end -}}
{{- if and .Values.kafka.sasl.mechanism (not .Values.kafka.sasl.existingSecret) -}}
{{- $faults = append $faults "kafka.sasl.existingSecret is required by kafka.sasl.mechanism." -}}
{{- end -}}
{{- if and (has .Values.kafka.sasl.mechanism (list "plain" "scram-sha-256" "scram-sha-512")) (not .Values.kafka.sasl.username) -}}
{{- $faults = append $faults "kafka.sasl.username is required by kafka.sasl.mechanism." -}}
{{- end -}}
{{- if and .Values.bridgeRules (not (or .Values.kafka.enabled .Values.bridges)) -}}
{{- $faults = append $faults "bridgeRules need a bridge: set kafka.enabled with kafka.brokers, or bridges." -}}
{{- end -}}
{{- $faults | toJson -}}
{{- end -}}
