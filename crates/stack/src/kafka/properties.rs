use std::path::Path;

use super::{KafkaOptions, Ports};

/// The broker's properties: one node without durability, with little memory and few threads.
pub(super) fn broker(options: &KafkaOptions, ports: &Ports, folder: &Path) -> String {
    let mut lines = Lines::default();
    lines.set("process.roles", "broker,controller");
    lines.set("node.id", "1");
    lines.set("controller.quorum.voters", &format!("1@127.0.0.1:{}", ports.controller));
    lines.set("controller.listener.names", "CONTROLLER");
    lines.set("inter.broker.listener.name", "PLAINTEXT");
    lines.set("log.dirs", &folder.join("data").display().to_string());
    let listeners = listeners(options, ports);
    let named = |address: &(&str, String)| format!("{}://{}", address.0, address.1);
    let advertised = listeners.iter().map(named).collect::<Vec<_>>().join(",");
    lines.set(
        "listeners",
        &format!("{},CONTROLLER://127.0.0.1:{}", advertised.replace("localhost", "127.0.0.1"), ports.controller),
    );
    lines.set("advertised.listeners", &advertised);
    lines.set(
        "listener.security.protocol.map",
        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,MTLS:SSL,SASLTLS:SASL_SSL,SASLPLAIN:SASL_PLAINTEXT",
    );
    for (key, value) in SMALL {
        lines.set(key, value);
    }
    if options.security {
        security(options, folder, &mut lines);
    }
    if !options.superusers.is_empty() {
        let users = options.superusers.iter().map(|user| format!(";User:{user}")).collect::<String>();
        lines.set("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer");
        lines.set("super.users", &format!("User:ANONYMOUS{users}"));
    }
    for (key, value) in &options.properties {
        lines.set(key, value);
    }
    lines.0
}

const SMALL: [(&str, &str); 13] = [
    ("offsets.topic.replication.factor", "1"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.num.partitions", "4"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "1000"),
    ("auto.create.topics.enable", "false"),
    ("log.retention.check.interval.ms", "1000"),
    ("num.network.threads", "2"),
    ("num.io.threads", "2"),
];

fn listeners(options: &KafkaOptions, ports: &Ports) -> Vec<(&'static str, String)> {
    let mut listeners = vec![("PLAINTEXT", format!("127.0.0.1:{}", ports.plaintext))];
    if options.security {
        listeners.push(("TLS", format!("localhost:{}", ports.tls)));
        listeners.push(("MTLS", format!("localhost:{}", ports.mutual_tls)));
        listeners.push(("SASLTLS", format!("localhost:{}", ports.sasl_tls)));
        listeners.push(("SASLPLAIN", format!("127.0.0.1:{}", ports.sasl_plaintext)));
    }
    listeners
}

fn security(options: &KafkaOptions, folder: &Path, lines: &mut Lines) {
    lines.set("ssl.keystore.type", "PEM");
    lines.set("ssl.keystore.location", &folder.join("server.pem").display().to_string());
    lines.set("ssl.truststore.type", "PEM");
    lines.set("ssl.truststore.location", &folder.join("ca.pem").display().to_string());
    lines.set("listener.name.mtls.ssl.client.auth", "required");
    lines.set("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512");
    let users = options.users.iter().map(|(user, password)| format!(" user_{user}=\"{password}\"")).collect::<String>();
    for listener in ["sasltls", "saslplain"] {
        let module = "org.apache.kafka.common.security";
        let set = format!("listener.name.{listener}");
        lines.set(&format!("{set}.plain.sasl.jaas.config"), &format!("{module}.plain.PlainLoginModule required{users};"));
        for scram in ["scram-sha-256", "scram-sha-512"] {
            lines.set(&format!("{set}.{scram}.sasl.jaas.config"), &format!("{module}.scram.ScramLoginModule required;"));
        }
    }
}

#[derive(Debug, Default)]
struct Lines(String);

impl Lines {
    fn set(&mut self, key: &str, value: &str) {
        self.0.push_str(&format!("{key}={value}\n"));
    }
}
