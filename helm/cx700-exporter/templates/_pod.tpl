{{/* What the exporter's pod and that of "helm test" have in common, below spec: list of the context and the instance. */}}
{{- define "cx700.podSpec" -}}
{{- $ := first . -}}
{{- $instance := last . -}}
automountServiceAccountToken: false
{{- with $.Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with $.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml $instance.podSecurityContext | nindent 2 }}
enableServiceLinks: false
{{- if $instance.hostNetwork }}
hostNetwork: true
{{- end }}
{{- with $instance.dnsPolicy | default (ternary "ClusterFirstWithHostNet" "" (default false $instance.hostNetwork)) }}
dnsPolicy: {{ . }}
{{- end }}
{{- range $key := list "dnsConfig" "nodeSelector" "affinity" "tolerations" }}
{{- with index $instance $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The pod of an instance, alone or one of its shards: list of the context and the instance. */}}
{{- define "cx700.pod" -}}
{{- $ := first . -}}
{{- $instance := last . -}}
metadata:
  labels:
    {{- include "cx700.labelsWith" (list $ (merge (dict "app.kubernetes.io/component" $instance.name) ($instance.podLabels | default dict))) | nindent 4 }}
  annotations:
    kubectl.kubernetes.io/default-container: exporter
    {{- with $instance.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "cx700.podSpec" . | nindent 2 }}
  {{- with $instance.topologySpreadConstraints }}
  {{- range . }}
  {{- if not .labelSelector }}
  {{- $_ := set . "labelSelector" (dict "matchLabels" (include "cx700.instanceSelector" (list $ $instance) | fromYaml)) }}
  {{- end }}
  {{- end }}
  topologySpreadConstraints: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $instance.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  containers:
    - name: exporter
      image: {{ include "cx700.image" $ }}
      imagePullPolicy: {{ $.Values.image.pullPolicy }}
      args:
        - serve
        - --config.auto-reload-interval={{ $.Values.configAutoReloadInterval }}
        - --web.listen-address=:{{ int $instance.port }}
        - --log.level={{ $.Values.logLevel }}
        - --log.format={{ $.Values.logFormat }}
        {{- if $.Values.webConfigSecret }}
        - --web.config.file=/etc/cx700_exporter/web/web.yml
        {{- end }}
        {{- if $.Values.enableLifecycle }}
        - --web.enable-lifecycle
        {{- end }}
        {{- if gt (int $instance.shards) 1 }}
        - --shard.index=$(POD_NAME)
        - --shard.count={{ int $instance.shards }}
        {{- end }}
        {{- range $instance.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      # Not as flags of serve, so that check and probe by kubectl exec go by the same.
      env:
        - {name: CX700_CONFIG_FILE, value: /etc/cx700_exporter/config/cx700.yml}
        - {name: CX700_STATE_FILE, value: /var/lib/cx700_exporter/state.json}
        - {name: CX700_NETWORK, value: {{ $instance.network }}}
        {{- if gt (int $instance.shards) 1 }}
        - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        {{- end }}
        {{- with $instance.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {name: http, containerPort: {{ int $instance.port }}}
      {{- if $.Values.webConfigSecret }}
      {{- /* The kubelet has no password, and a TLS server logs whoever only opens the port. */}}
      {{- range list "livenessProbe" "readinessProbe" }}
      {{ . }}:
        exec: {command: [/cx700_exporter, healthcheck, --web.listen-address=:{{ int $instance.port }}, --web.config.file=/etc/cx700_exporter/web/web.yml]}
        periodSeconds: 30
        timeoutSeconds: 5
      {{- end }}
      {{- else }}
      livenessProbe:
        httpGet: {path: /-/healthy, port: http}
      readinessProbe:
        httpGet: {path: /-/ready, port: http}
      {{- end }}
      resources: {{- toYaml $instance.resources | nindent 8 }}
      securityContext: {{- include "cx700.containerSecurity" $instance | nindent 8 }}
      volumeMounts:
        {{- include "cx700.mounts" $instance | nindent 8 }}
        - {name: state, mountPath: /var/lib/cx700_exporter}
        {{- if $.Values.webConfigSecret }}
        - {name: web, mountPath: /etc/cx700_exporter/web, readOnly: true}
        {{- end }}
    {{- with $instance.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "cx700.volumes" (list $ $instance) | nindent 4 }}
    {{- if not $.Values.persistence.enabled }}
    - {name: state, emptyDir: {}}
    {{- else if le (int $instance.shards) 1 }}
    - name: state
      persistentVolumeClaim: {claimName: {{ include "cx700.fullname" $ }}-{{ $instance.name }}}
    {{- end }}
    {{- with $.Values.webConfigSecret }}
    - name: web
      secret: {secretName: {{ . | quote }}, defaultMode: 0440}
    {{- end }}
{{- end -}}
