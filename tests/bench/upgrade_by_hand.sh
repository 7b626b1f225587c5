#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The upgrade of a kubeadm cluster as the documentation of Kubernetes describes
# it, in a script: one node after the other, each command run when the one
# before has ended. It goes on where a person would, and says what it saw.
#
#     upgrade_by_hand.sh VERSION PROGRAM KUBECONFIG IGNORED SSH_CONFIG CONTROL_PLANE... -- WORKER...
#
# PROGRAM is kubectl, or one that is kubectl when it is called by that name.
# Lines "node NAME begins|ends SECONDS" tell how long each node took, and those
# that begin with "kubeadm" how much of it kubeadm upgrade was.
set -uo pipefail

version=$1 program=$2 kubeconfig=$3 ignored=$4 ssh_config=$5
shift 5
minor=${version%.*}

on() {
    local node=$1
    shift
    ssh -n -F "$ssh_config" "$node" "sudo bash -c '$*'"
}

k() {
    (exec -a kubectl "$program" --kubeconfig "$kubeconfig" "$@")
}

now() {
    date +%s.%3N
}

packages() {
    local node=$1
    shift
    on "$node" "apt-mark unhold $* > /dev/null && apt-get update -q > /dev/null && apt-get install -q -y ${*/%/=$version-*} > /dev/null && apt-mark hold $* > /dev/null"
}

node() {
    local node=$1 upgrade=$2
    echo "node $node begins $(now)"
    on "$node" "sed -i s,/v[0-9.]*/deb/,/v$minor/deb/, /etc/apt/sources.list.d/kubernetes.list"
    packages "$node" kubeadm || return 1
    echo "kubeadm $node begins $(now)"
    on "$node" "kubeadm upgrade $upgrade --ignore-preflight-errors=$ignored" || return 1
    echo "kubeadm $node ends $(now)"
    k drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout=600s || return 1
    packages "$node" kubelet kubectl || return 1
    on "$node" "systemctl daemon-reload && systemctl restart kubelet" || return 1
    k uncordon "$node"
    echo "node $node ends $(now)"
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
