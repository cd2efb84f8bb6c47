//! librdkafka's second names for its own properties.
//!
//! A client's properties are kept in a map without order. Two names of one property in it would race, and
//! which one won would differ from process to process; so everything is put under the property's own name.

/// Second name and own name (`CONFIGURATION.md` of librdkafka, "Alias for").
const ALIASES: &[(&str, &str)] = &[
    ("acks", "request.required.acks"),
    ("bootstrap.servers", "metadata.broker.list"),
    ("compression.type", "compression.codec"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("linger.ms", "queue.buffering.max.ms"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("retries", "message.send.max.retries"),
    ("sasl.mechanism", "sasl.mechanisms"),
];

/// A property's own name, whichever of its names is given.
#[must_use]
pub fn own_name(property: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == property).map_or(property, |(_, own)| own)
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;

    use super::*;

    #[test]
    fn both_names_are_one_property_to_librdkafka() {
        for (alias, own) in ALIASES {
            let value = match *own {
                "compression.codec" => "lz4",
                "fetch.message.max.bytes" => "2000",
                _ => "3",
            };
            let native = ClientConfig::new().set(*alias, value).create_native_config().unwrap();
            let read = native.get(own).unwrap();
            assert_eq!(read.trim_end_matches('\0'), value, "`{alias}` is `{own}`");
            assert_eq!(own_name(own), *own, "the own name of `{alias}` is no alias itself");
        }
    }
}
