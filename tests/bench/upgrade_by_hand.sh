#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The upgrade of a kubeadm cluster as the documentation of Kubernetes describes
# it, in a script: one node after the other, each command run when the one
# before has ended. It goes on where a person would, and says what it saw.
#
#     upgrade_by_hand.sh VERSION KUBECTL KUBECONFIG IGNORED SSH_CONFIG CONTROL_PLANE... -- WORKER...
#
# Lines "step NODE NAME SECONDS" say when a step of a node begins; its last is
# "end".
set -uo pipefail

version=$1 kubectl=$2 kubeconfig=$3 ignored=$4 ssh_config=$5
shift 5
minor=${version%.*}

on() {
    local node=$1
    shift
    ssh -n -F "$ssh_config" "$node" "sudo bash -c '$*'"
}

k() {
    "$kubectl" --kubeconfig "$kubeconfig" "$@"
}

step() {
    echo "step $1 $2 $(date +%s.%3N)"
}

packages() {
    local node=$1
    shift
    on "$node" "apt-mark unhold $* > /dev/null && apt-get update -q > /dev/null && apt-get install -q -y ${*/%/=$version-*} > /dev/null && apt-mark hold $* > /dev/null"
}

node() {
    local node=$1 upgrade=$2
    step "$node" packages
    on "$node" "sed -i s,/v[0-9.]*/deb/,/v$minor/deb/, /etc/apt/sources.list.d/kubernetes.list"
    packages "$node" kubeadm || return 1
    step "$node" kubeadm
    on "$node" "kubeadm upgrade $upgrade --ignore-preflight-errors=$ignored" || return 1
    step "$node" drain
    k drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout=600s || return 1
    step "$node" packages
    packages "$node" kubelet kubectl || return 1
    step "$node" kubelet
    on "$node" "systemctl daemon-reload && systemctl restart kubelet" || return 1
    step "$node" uncordon
    k uncordon "$node"
    step "$node" end
    k get nodes
}

upgrade="apply v$version --yes"
for name in "$@"; do
    if [ "$name" = -- ]; then
        upgrade=node
        continue
    fi
    node "$name" "$upgrade" || { echo "stopped at $name" >&2; exit 1; }
    upgrade=node
done
