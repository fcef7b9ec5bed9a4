//! Cases about versions of several destinations.

use kamal_tests::app::App;

use super::{Cases, on_host};

#[test]
fn destinations() {
    let app = App::of_case("02-destinations-prune-each-other", 1);
    let mut cases = Cases::default();
    cases.case("reports/02-destinations-prune-each-other", || {
        let first = app.release();
        app.ok(&["setup", "-d", "production"]);
        for destination in ["production", "staging", "staging", "staging"] {
            app.release();
            app.ok(&["deploy", "-d", destination]);
        }
        let left = |destination: &str| {
            let filter =
                format!("--filter label=service=app --filter label=destination={destination} --filter status=exited");
            on_host(&app, &format!("docker ps -a {filter} --format '{{{{.Names}}}}'"))
        };
        assert_eq!(left("production"), format!("app-web-production-{first}\n"));
        assert_eq!(left("staging").lines().count(), 1, "{}", left("staging"));
        let images = on_host(&app, "docker image ls --format '{{.Tag}}'");
        let tags: Vec<&str> = images.lines().collect();
        assert!(tags.contains(&"latest-production") && tags.contains(&"latest-staging"), "{images}");
        app.ok(&["rollback", &first, "-d", "production"]);
        assert!(on_host(&app, "docker ps --format '{{.Names}}'").contains(&format!("app-web-production-{first}\n")));
    });
    cases.end();
}
