{{/* What nodes and the admin API have in common, as YAML. Keys are those of docs/configuration.md. */}}
{{- define "skein.config.common" -}}
{{- $redis := .Values.redis -}}
{{- $common := dict "node" (dict "clusterName" (default (include "skein.fullname" .) .Values.clusterName)) "log" (dict "level" .Values.log.level) -}}
{{- if include "skein.hasRedis" . -}}
{{- $hosts := splitList " " (include "skein.redisHosts" .) -}}
{{- $section := dict "keyPrefix" $redis.keyPrefix "readinessGraceSeconds" $redis.readinessGraceSeconds -}}
{{- if eq $redis.mode "standalone" -}}
{{- $_ := set $section "url" (printf "%s://%s" (ternary "rediss" "redis" $redis.tls.enabled) (first $hosts)) -}}
{{- else if eq $redis.mode "sentinel" -}}
{{- $_ := set $section "sentinels" $hosts -}}
{{- $_ := set $section "masterName" $redis.masterName -}}
{{- with $redis.sentinelUsername -}}{{- $_ := set $section "sentinelUsername" . -}}{{- end -}}
{{- if $redis.sentinelExistingSecret -}}
{{- $_ := set $section "sentinelPasswordFile" (printf "/etc/skein/sentinel/%s" $redis.sentinelPasswordKey) -}}
{{- end -}}
{{- else -}}
{{- $_ := set $section "nodes" $hosts -}}
{{- end -}}
{{- if gt (int $redis.database) 0 -}}{{- $_ := set $section "database" $redis.database -}}{{- end -}}
{{- with $redis.username -}}{{- $_ := set $section "username" . -}}{{- end -}}
{{- if $redis.existingSecret -}}
{{- $_ := set $section "passwordFile" (printf "/etc/skein/redis/%s" $redis.passwordKey) -}}
{{- end -}}
{{- if $redis.tls.enabled -}}
{{- $tls := dict -}}
{{- if ne $redis.mode "standalone" -}}{{- $_ := set $tls "enabled" true -}}{{- end -}}
{{- if $redis.tls.caSecret -}}{{- $_ := set $tls "caFile" (printf "/etc/skein/redis-ca/%s" $redis.tls.caKey) -}}{{- end -}}
{{- if $redis.tls.clientSecret -}}
{{- $_ := set $tls "certFile" "/etc/skein/redis-client/tls.crt" -}}
{{- $_ := set $tls "keyFile" "/etc/skein/redis-client/tls.key" -}}
{{- end -}}
{{- with $redis.tls.serverName -}}{{- $_ := set $tls "serverName" . -}}{{- end -}}
{{- if $tls -}}{{- $_ := set $section "tls" $tls -}}{{- end -}}
{{- end -}}
{{- $_ := set $common "redis" (mergeOverwrite $section (deepCopy $redis.config)) -}}
{{- end -}}
{{- toYaml $common -}}
{{- end -}}

{{/* The section `listeners`. Those that a node would open of itself are said to be off where they are not wanted. */}}
{{- define "skein.config.listeners" -}}
{{- $sections := dict -}}
{{- range $name := list "tcp" "ws" -}}
{{- if not (has $name (splitList " " (include "skein.listeners" $))) -}}{{- $_ := set $sections $name (dict "enabled" false) -}}{{- end -}}
{{- end -}}
{{- range $name := splitList " " (include "skein.listeners" .) | compact -}}
{{- $listener := get $.Values.listeners $name -}}
{{- $section := dict "enabled" true "host" $.Values.bindAddress "port" $listener.port -}}
{{- $isNamed := has $name (list "tcp" "ws" "tls" "wss") -}}
{{- if not $isNamed -}}{{- $_ := set $section "transport" (ternary "ws" "tcp" (hasPrefix "ws" $listener.type)) -}}{{- end -}}
{{- range $key := list "connectionsMax" "connectsPerSecond" "connectBurst" "connectsPerSecondPerAddress" "connectBurstPerAddress" "proxyProtocol" "proxyFrom" "path" "rules" -}}
{{- if hasKey $listener $key -}}
{{- if or (ne $key "path") (hasPrefix "ws" $listener.type) -}}{{- $_ := set $section $key (get $listener $key) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if include "skein.isTls" $listener.type -}}
{{- $own := default (dict) $listener.tls -}}
{{- $tls := dict "certFile" (printf "/etc/skein/tls/%s/tls.crt" $name) "keyFile" (printf "/etc/skein/tls/%s/tls.key" $name) -}}
{{- range $key := list "clientCertificate" "minVersion" "handshakeTimeoutMs" -}}
{{- if hasKey $own $key -}}{{- $_ := set $tls $key (get $own $key) -}}{{- end -}}
{{- end -}}
{{- if ne (default "none" $own.clientCertificate) "none" -}}
{{- $_ := set $tls "caFile" (printf "/etc/skein/client-ca/%s" $.Values.tls.clientCa.key) -}}
{{- with $.Values.tls.clientCa.crlKey -}}{{- $_ := set $tls "crlFile" (printf "/etc/skein/client-ca/%s" .) -}}{{- end -}}
{{- end -}}
{{- $further := list -}}
{{- range $index, $one := $own.sni -}}
{{- $place := printf "/etc/skein/sni/%s-%d" $name $index -}}
{{- $further = append $further (dict "names" $one.names "certFile" (printf "%s/tls.crt" $place) "keyFile" (printf "%s/tls.key" $place)) -}}
{{- end -}}
{{- with $further -}}{{- $_ := set $tls "sni" . -}}{{- end -}}
{{- $_ := set $section "tls" $tls -}}
{{- end -}}
{{- $_ := set $sections $name $section -}}
{{- end -}}
{{- toYaml $sections -}}
{{- end -}}

{{/* The bridge to Kafka, as an item of `bridges`. */}}
{{- define "skein.config.kafka" -}}
{{- $kafka := .Values.kafka -}}
{{- $bridge := dict "id" $kafka.id "kind" "kafka" "brokers" (splitList " " (tpl (join " " $kafka.brokers) .)) "clientId" (default (include "skein.fullname" .) $kafka.clientId) "compression" $kafka.compression -}}
{{- if $kafka.tls.enabled -}}
{{- $tls := dict -}}
{{- if $kafka.tls.caSecret -}}{{- $_ := set $tls "caFile" (printf "/etc/skein/kafka-ca/%s" $kafka.tls.caKey) -}}{{- end -}}
{{- if $kafka.tls.clientSecret -}}
{{- $_ := set $tls "certFile" "/etc/skein/kafka-client/tls.crt" -}}
{{- $_ := set $tls "keyFile" "/etc/skein/kafka-client/tls.key" -}}
{{- end -}}
{{- with $kafka.tls.serverName -}}{{- $_ := set $tls "serverName" . -}}{{- end -}}
{{- $_ := set $bridge "tls" $tls -}}
{{- end -}}
{{- with $kafka.sasl.mechanism -}}
{{- $file := dict "file" (printf "/etc/skein/kafka/%s" $kafka.sasl.key) -}}
{{- $sasl := dict "mechanism" . -}}
{{- if eq . "oauthbearer" -}}
{{- $_ := set $sasl "token" $file -}}
{{- else -}}
{{- $_ := set $sasl "username" $kafka.sasl.username -}}
{{- $_ := set $sasl "password" $file -}}
{{- end -}}
{{- $_ := set $bridge "sasl" $sasl -}}
{{- end -}}
{{- toYaml $bridge -}}
{{- end -}}

{{/* The configuration of a node. */}}
{{- define "skein.config.broker" -}}
{{- $config := include "skein.config.common" . | fromYaml -}}
{{- $_ := set $config "listeners" (include "skein.config.listeners" . | fromYaml) -}}
{{- $_ := set $config "ops" (dict "host" .Values.bindAddress "port" .Values.broker.opsPort "unreadyWhenFull" .Values.broker.unreadyWhenFull) -}}
{{- $drain := pick .Values.drain "lameDuckSeconds" "connectionsPerSecond" "durationSeconds" "deadlineSeconds" "willHoldSeconds" -}}
{{- with .Values.drain.serverReference -}}{{- $_ := set $drain "serverReference" . -}}{{- end -}}
{{- $_ := set $config "drain" $drain -}}
{{- if .Values.tls.ticketSecret.existingSecret -}}
{{- $_ := set $config "tls" (dict "ticketSecret" (dict "file" (printf "/etc/skein/tickets/%s" .Values.tls.ticketSecret.key))) -}}
{{- end -}}
{{- $bridges := .Values.bridges -}}
{{- if .Values.kafka.enabled -}}{{- $bridges = prepend $bridges (include "skein.config.kafka" . | fromYaml) -}}{{- end -}}
{{- if $bridges -}}{{- $_ := set $config "bridges" $bridges -}}{{- end -}}
{{- with .Values.bridgeRules -}}{{- $_ := set $config "bridgeRules" . -}}{{- end -}}
{{- $spool := dict "kind" .Values.broker.spool.kind -}}
{{- if ne .Values.broker.spool.kind "none" -}}{{- $_ := set $spool "bytesMax" .Values.broker.spool.bytesMax -}}{{- end -}}
{{- if eq .Values.broker.spool.kind "local" -}}{{- $_ := set $spool "dir" "/var/lib/skein/spool" -}}{{- end -}}
{{- $_ := set $config "bridge" (dict "spool" $spool) -}}
{{- if and (not (include "skein.hasRedis" .)) .Values.broker.persistence.enabled -}}
{{- $_ := set $config "data" (dict "dir" "/var/lib/skein/data") -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.broker.config)) -}}
{{- end -}}

{{/* The configuration of the admin API. What nodes take it must take as well. */}}
{{- define "skein.config.api" -}}
{{- $config := include "skein.config.common" . | fromYaml -}}
{{- $_ := set $config "ops" (dict "host" .Values.bindAddress) -}}
{{- with get .Values.broker.config "limits" -}}{{- $_ := set $config "limits" . -}}{{- end -}}
{{- /* How passwords are hashed that users are given over the API. */ -}}
{{- with pick (default (dict) (get .Values.broker.config "auth")) "iterations" "hashCost" -}}{{- $_ := set $config "auth" . -}}{{- end -}}
{{- if .Values.api.backups.enabled -}}
{{- $backups := dict "dir" "/var/lib/skein/backups" -}}
{{- if .Values.api.backups.key.existingSecret -}}
{{- $_ := set $backups "key" (dict "file" (printf "/etc/skein/backup-key/%s" .Values.api.backups.key.key)) -}}
{{- end -}}
{{- $_ := set $config "backups" $backups -}}
{{- end -}}
{{- $api := dict "host" .Values.bindAddress "port" .Values.api.port "opsPort" .Values.api.opsPort -}}
{{- if .Values.api.key.existingSecret -}}
{{- $_ := set $api "keyFile" (printf "/etc/skein/api-key/%s" .Values.api.key.key) -}}
{{- end -}}
{{- $_ := set $config "api" (mergeOverwrite $api (deepCopy .Values.api.config)) -}}
{{- toYaml $config -}}
{{- end -}}
