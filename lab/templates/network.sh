# Routes to the pods of the other nodes. The way out of the lab leads to the
# balancer, which forwards nothing: a node reaches nothing outside of the lab.
set -e
ip route replace default via $balancer
$pod_routes
iptables -t nat -C POSTROUTING -s $pod_subnet ! -d $pod_network -j MASQUERADE 2>/dev/null ||
    iptables -t nat -A POSTROUTING -s $pod_subnet ! -d $pod_network -j MASQUERADE
