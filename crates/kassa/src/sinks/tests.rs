use std::collections::BTreeSet;

use super::*;

const NONE: Durable = Durable { archive: false, lake: false, warehouse: false };

fn fed(durable: Durable) -> Vec<&'static str> {
    ALL.into_iter().filter(|sink| sink.is_fed(durable)).map(Registration::name).collect()
}

#[test]
fn each_durable_sink_is_fed_by_its_own_flag_and_live_by_none() {
    assert_eq!(fed(NONE), [""; 0]);
    for sink in ALL {
        let mut chosen = NONE;
        sink.feed(&mut chosen);
        assert_eq!(fed(chosen), if sink.name() == LIVE { vec![] } else { vec![sink.name()] });
    }
    let names: BTreeSet<&str> = ALL.into_iter().map(Registration::name).collect();
    assert_eq!(names.len(), ALL.len(), "two sinks have one name");
    assert_eq!(fed(Durable::ALL).len(), ALL.len() - 1);
}
