//! A lifter is taken off the meet at one location while another one still changes their card.

use serde_json::json;

use super::browser::{Over, assert_all_agree};
use super::{browsers, browsers_of, entry, field, lifter, register};
use crate::support::{Client, TestServer};

#[tokio::test]
async fn a_field_of_a_lifter_who_was_removed_is_refused_whatever_the_priority() {
    let server = TestServer::start().await;
    let [mut desk, mut platform, mut director] = browsers(&server, ["desk", "platform 1", "director"]).await;
    register(&mut [&mut desk, &mut platform, &mut director], 5000).await;
    platform.edit(&field(5000, "squatKg[0]"), 180);
    director.edit(&field(5000, "bodyweightKg"), 82.4);
    desk.remove(&entry(5000));
    desk.send().await;
    for browser in [&mut platform, &mut director] {
        browser.send().await;
        let rejection = &browser.rejected[0];
        assert_eq!((&rejection["code"], &rejection["conflict"]), (&json!("removed"), &json!(true)));
        assert_eq!(rejection["standing"]["serverSeqNum"], 2);
        browser.hear(2).await;
    }
    assert_eq!(platform.screen(), json!({"registration": {"entries": {}}}));
    assert_all_agree(&[&desk, &platform, &director]).await;

    // Having seen the removal changes nothing for a field.
    director.edit(&field(5000, "bodyweightKg"), 82.4);
    director.send().await;
    assert_eq!(director.rejected[1]["code"], "removed");
}

#[tokio::test]
async fn a_lifter_whom_a_higher_location_still_changes_stays() {
    let server = TestServer::start().await;
    let [mut desk, mut platform] = browsers(&server, ["desk", "platform 1"]).await;
    register(&mut [&mut desk, &mut platform], 5000).await;
    platform.edit(&field(5000, "squatKg[0]"), 180);
    desk.remove(&entry(5000));
    platform.send().await;
    desk.send().await;
    assert_eq!(desk.rejected[0]["code"], "overruled");
    assert_eq!(desk.rejected[0]["standing"]["updateKey"], field(5000, "squatKg[0]"));
    desk.hear(2).await;
    assert_eq!(desk.screen()["registration"]["entries"]["5000"]["squatKg"][0], 180);
    assert_all_agree(&[&desk, &platform]).await;
}

#[tokio::test]
async fn between_equal_platforms_a_removal_beats_an_edit_under_both_settings() {
    let server = TestServer::start().await;
    for tie_break in ["incumbent", "latest"] {
        let mut creation = Client::creation("platform 1");
        creation["settings"] = json!({"tieBreak": tie_break});
        let first = server.stranger().create(&creation).await;
        let [mut left, mut right] = browsers_of(Over::Rest, &first, ["platform 1", "platform 2"]).await;
        register(&mut [&mut left, &mut right], 5000).await;
        left.edit(&field(5000, "squatKg[0]"), 180);
        right.remove(&entry(5000));
        left.send().await;
        let reply = right.send().await;
        assert_eq!(reply["updateAcks"][0]["overrules"], json!([2]));
        left.hear(3).await;
        right.hear(3).await;
        let told = &left.overruled_by[0];
        assert_eq!((&told["op"], &told["previousValue"]["squatKg"][0]), (&json!("remove"), &json!(180)), "the whole card, as it was");

        // Somebody of equal rank who has not seen the removal does not bring the lifter back.
        let spare = left.client.join("platform 1").await;
        let whole = json!([{"updateKey": entry(5000), "updateValue": lifter("Sam Novak"), "localSeqNum": 1, "afterServerSeqNum": 2}]);
        let reply = spare.push(whole).await.expect(200);
        assert_eq!(reply["updatesRejected"][0]["code"], "overruled", "{tie_break}");
        assert_all_agree(&[&left, &right]).await;
    }
}

#[tokio::test]
async fn the_director_brings_a_lifter_back_with_the_whole_card() {
    let server = TestServer::start().await;
    let [mut desk, mut platform, mut director] = browsers(&server, ["desk", "platform 1", "director"]).await;
    register(&mut [&mut desk, &mut platform, &mut director], 5000).await;
    director.edit(&entry(5000), lifter("Sam Novak-Reyes"));
    desk.remove(&entry(5000));
    desk.send().await;
    let reply = director.send().await;
    assert_eq!(reply["updateAcks"][0]["overrules"], json!([2]));
    desk.hear(3).await;
    assert_eq!(desk.overruled_by[0]["updateValue"]["name"], "Sam Novak-Reyes");
    assert_eq!(desk.overruled_by[0]["previousValue"], json!(null), "nothing stood there any more");

    platform.hear(3).await;
    platform.edit(&field(5000, "squatKg[0]"), 180);
    platform.send().await;
    for browser in [&mut desk, &mut platform, &mut director] {
        browser.hear(4).await;
    }
    assert!(platform.rejected.is_empty());
    assert_all_agree(&[&desk, &platform, &director]).await;
}

#[tokio::test]
async fn two_locations_that_remove_the_same_lifter_agree() {
    let server = TestServer::start().await;
    let [mut desk, mut platform] = browsers(&server, ["desk", "platform 1"]).await;
    register(&mut [&mut desk, &mut platform], 5000).await;
    desk.remove(&entry(5000));
    platform.remove(&entry(5000));
    platform.remove(&field(5000, "bodyweightKg"));
    desk.send().await;
    let reply = platform.send().await;
    assert_eq!(
        reply["updateAcks"],
        json!([{"localSeqNum": 1, "serverSeqNum": 2, "merged": true}, {"localSeqNum": 2, "serverSeqNum": 2, "merged": true}])
    );
    platform.hear(2).await;
    assert_all_agree(&[&desk, &platform]).await;

    // Once seen, the removal is history: the desk may register the lifter anew.
    desk.edit(&entry(5000), lifter("Sam Novak"));
    desk.send().await;
    platform.hear(3).await;
    assert!(desk.rejected.is_empty());
    assert_all_agree(&[&desk, &platform]).await;
}
