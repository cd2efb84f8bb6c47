//! Brokers behind TLS and SASL: who leads is followed there too, so that faults hit whom they are meant for.

use super::lab::{Lab, skip};
use super::stand::sh;

/// The listener of clients and brokers takes nothing but TLS and a password; the controllers' stays as it is.
const SETTINGS: [&str; 5] = [
    "listener.security.protocol.map=PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name=PLAINTEXT",
    "sasl.enabled.mechanisms=PLAIN",
    "sasl.mechanism.inter.broker.protocol=PLAIN",
    "listener.name.plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
     required username=\"admin\" password=\"hush-hush\" user_admin=\"hush-hush\";",
];

#[test]
fn a_broker_behind_tls_and_sasl_is_killed_and_followed() {
    let Some(lab) = Lab::to_be() else { return };
    let dir = lab.stage.results.path().display().to_string();
    let certificate = sh(&format!(
        "cd {dir} && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem -subj /CN=lab \
         -addext subjectAltName=IP:10.77.0.1,IP:10.77.0.2,IP:10.77.0.3 2>/dev/null && cat key.pem cert.pem >store.pem"
    ));
    if certificate.is_err() {
        return skip("`openssl` makes no certificate, and TLS is not tested");
    }
    let mut up = lab.command("lab up --disks");
    let files = [
        "ssl.keystore.type=PEM".to_owned(),
        format!("ssl.keystore.location={dir}/store.pem"),
        "ssl.truststore.type=PEM".to_owned(),
        format!("ssl.truststore.location={dir}/cert.pem"),
    ];
    for setting in SETTINGS.map(str::to_owned).iter().chain(&files) {
        up.arg("--set").arg(setting);
    }
    let up = up.output().expect("the binary starts");
    let said = String::from_utf8_lossy(&up.stderr);
    if said.contains("mvn") {
        return skip(&said);
    }
    assert!(up.status.success(), "{said}");

    let run = |password: &str| {
        lab.run(&format!(
            "run --target lab --partitions 1 --rate 200 --seed 3 --nemesis kill --duration 10s -X security.protocol=sasl_ssl \
             -X sasl.mechanism=PLAIN -X sasl.username=admin -X sasl.password={password} -X ssl.ca.location={dir}/cert.pem"
        ))
    };
    let held = run("hush-hush");
    assert_eq!(held.code, 0, "{}", held.all());
    assert!(held.stdout.contains("kill bit: ") && held.stdout.contains("(epoch "), "{}", held.all());
    let kept = sh(&format!("grep -rls hush-hush {}", lab.stage.latest().display()));
    assert!(kept.is_err(), "a password is kept in {kept:?}");
    assert!(!held.all().contains("hush-hush"), "{}", held.all());
    let refused = run("wrong");
    assert_eq!(refused.code, 3, "{}", refused.all());
}
