{{/* Whether there is a Redis: nodes are then a cluster. */}}
{{- define "skein.hasRedis" -}}
{{- if ne .Values.redis.mode "none" -}}true{{- end -}}
{{- end -}}

{{- define "skein.broker.isScaled" -}}
{{- if or .Values.broker.autoscaling.enabled .Values.broker.keda.enabled -}}true{{- end -}}
{{- end -}}

{{- define "skein.broker.replicas" -}}
{{- if kindIs "invalid" .Values.broker.replicas -}}
{{- ternary 3 1 (eq (include "skein.hasRedis" .) "true") -}}
{{- else -}}
{{- int .Values.broker.replicas -}}
{{- end -}}
{{- end -}}

{{/* The least number of nodes, whoever decides on it. */}}
{{- define "skein.broker.replicasMin" -}}
{{- if .Values.broker.autoscaling.enabled -}}
{{- int .Values.broker.autoscaling.minReplicas -}}
{{- else if .Values.broker.keda.enabled -}}
{{- int .Values.broker.keda.minReplicas -}}
{{- else -}}
{{- include "skein.broker.replicas" . -}}
{{- end -}}
{{- end -}}

{{- define "skein.api.replicas" -}}
{{- if kindIs "invalid" .Values.api.replicas -}}2{{- else -}}{{- int .Values.api.replicas -}}{{- end -}}
{{- end -}}

{{/* Names of the listeners that are enabled, separated by spaces, in the order of the alphabet. */}}
{{- define "skein.listeners" -}}
{{- $names := list -}}
{{- range $name, $listener := .Values.listeners -}}
{{- if ne $listener.enabled false -}}{{- $names = append $names $name -}}{{- end -}}
{{- end -}}
{{- join " " (sortAlpha $names) -}}
{{- end -}}

{{- define "skein.connectionsMax" -}}
{{- $sum := 0 -}}
{{- range $name, $listener := .Values.listeners -}}
{{- if ne $listener.enabled false -}}
{{- $sum = add $sum (default 100000 $listener.connectionsMax | int64) -}}
{{- end -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{/* How long the last client is waited for when all are sent away. */}}
{{- define "skein.shedSeconds" -}}
{{- $drain := .Values.drain -}}
{{- if gt (int $drain.deadlineSeconds) 0 -}}
{{- int $drain.deadlineSeconds -}}
{{- else if gt (int $drain.connectionsPerSecond) 0 -}}
{{- divf (include "skein.connectionsMax" . | float64) (float64 $drain.connectionsPerSecond) | ceil | int -}}
{{- else -}}
{{- int $drain.durationSeconds -}}
{{- end -}}
{{- end -}}

{{/* A node gives itself 25 s to hand over, and 2 s for the last handshakes: the kubelet must not come before. */}}
{{- define "skein.graceSecondsMin" -}}
{{- $drain := .Values.drain -}}
{{- max 60 (add (int $drain.preStopSeconds) (int $drain.lameDuckSeconds) (include "skein.shedSeconds" . | int) 30) -}}
{{- end -}}

{{- define "skein.graceSeconds" -}}
{{- default (include "skein.graceSecondsMin" .) .Values.broker.terminationGracePeriodSeconds -}}
{{- end -}}

{{/* host:port of Redis, separated by spaces. */}}
{{- define "skein.redisHosts" -}}
{{- if .Values.redis.embedded.enabled -}}
{{- printf "%s-redis:6379" (include "skein.fullname" .) -}}
{{- else -}}
{{- tpl (join " " .Values.redis.hosts) . -}}
{{- end -}}
{{- end -}}

{{/* The ports of `host:port host:port`, each once. */}}
{{- define "skein.portsOf" -}}
{{- $ports := list -}}
{{- range splitList " " . -}}{{- with regexFind "[0-9]+$" . -}}{{- $ports = append $ports . -}}{{- end -}}{{- end -}}
{{- join " " (uniq $ports | sortAlpha) -}}
{{- end -}}

{{/* Secret of a TLS listener: `(dict "root" $ "listener" ...)`. */}}
{{- define "skein.tlsSecret" -}}
{{- $own := default (dict) .listener.tls -}}
{{- if $own.existingSecret -}}
{{- $own.existingSecret -}}
{{- else if eq .root.Values.tls.mode "existingSecret" -}}
{{- .root.Values.tls.existingSecret -}}
{{- else -}}
{{- printf "%s-tls" (include "skein.fullname" .root) -}}
{{- end -}}
{{- end -}}

{{- define "skein.isTls" -}}
{{- if has . (list "tls" "wss") -}}true{{- end -}}
{{- end -}}
