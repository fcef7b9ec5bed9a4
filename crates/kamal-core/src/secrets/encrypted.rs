//! Secrets files that lie encrypted in the repository: with age, or with sops in dotenv form. Kamal has none. They are
//! told by what is in them, not by their names, and what they hold is a secrets file like any other.

use super::vendors::{Programs, VendorError, decrypt_age, decrypt_sops};
use crate::secret::Secret;

/// What a secrets file's name may end with beyond Kamal's own, so that both forms can lie side by side and `sops edit`
/// knows the form.
pub const SUFFIXES: [&str; 4] = ["", ".age", ".sops", ".sops.env"];

/// How age's files begin (age-encryption.org/v1; the second when it is armoured).
const AGE: [&[u8]; 2] = [b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----"];

/// The entry every sops file in dotenv form has (getsops/sops, `stores/dotenv`).
const SOPS: &[u8] = b"sops_mac=";

/// The text of a secrets file whose bytes are these, decrypted where it is encrypted; none where it is and there are no
/// programs to do so. `path` is where they find it.
///
/// # Errors
///
/// When it cannot be decrypted, or is no text.
pub fn plain(path: &str, bytes: Vec<u8>, programs: Option<&dyn Programs>) -> Result<Option<Secret>, VendorError> {
    let unreadable = |what: &str| VendorError::Usage { message: format!("{path} is {what}") };
    if AGE.iter().any(|start| bytes.starts_with(start)) {
        programs.map(|programs| decrypt_age(programs, path, None)).transpose()
    } else if bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(SOPS)) {
        programs.map(|programs| decrypt_sops(programs, path)).transpose()
    } else if path.ends_with(".sops") || path.ends_with(".sops.env") {
        Err(unreadable(
            "not encrypted with sops in dotenv form\nhelp: `sops encrypt --input-type dotenv --output-type dotenv` makes \
             it; files of another form are read by `kamal secrets fetch --adapter sops --from FILE`",
        ))
    } else if path.ends_with(".age") {
        Err(unreadable("not encrypted with age\nhelp: `age -R ~/.ssh/id_ed25519.pub -o FILE.age FILE` makes it"))
    } else {
        String::from_utf8(bytes).map(|text| Some(Secret::new(text))).map_err(|_| unreadable("no text in UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::vendors::testing::Script;
    use super::*;

    fn read(path: &str, text: &str, script: &Script) -> Result<String, String> {
        let text = plain(path, text.as_bytes().to_vec(), Some(script));
        text.map(|text| text.unwrap().expose().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn files_are_told_by_what_is_in_them() {
        let mut script = Script::default()
            .says("age --decrypt -i /k .kamal/secrets.age", "A=a\n")
            .says("sops decrypt --input-type dotenv --output-type dotenv .kamal/secrets", "A=s\n");
        script.env.insert("KAMAL_AGE_IDENTITY", "/k");
        let sops = "A=ENC[AES256_GCM,data:x,type:str]\nsops_lastmodified=2024-01-01T00:00:00Z\nsops_mac=ENC[x]\n";
        assert_eq!(read(".kamal/secrets.age", "age-encryption.org/v1\n-> X25519 x\n", &script).as_deref(), Ok("A=a\n"));
        assert_eq!(
            read(".kamal/secrets.age", "-----BEGIN AGE ENCRYPTED FILE-----\nx", &script).as_deref(),
            Ok("A=a\n")
        );
        assert_eq!(read(".kamal/secrets", sops, &script).as_deref(), Ok("A=s\n"));
        assert_eq!(read(".kamal/secrets", "A=plain # sops_mac=\n", &script).as_deref(), Ok("A=plain # sops_mac=\n"));
    }

    #[test]
    fn nothing_is_decrypted_without_programs() {
        let armoured = b"-----BEGIN AGE ENCRYPTED FILE-----\n".to_vec();
        assert_eq!(plain(".kamal/secrets.age", armoured, None), Ok(None));
        assert_eq!(plain(".kamal/secrets", b"A=1\n".to_vec(), None), Ok(Some(Secret::new("A=1\n"))));
    }

    #[test]
    fn a_file_that_claims_to_be_encrypted_must_be() {
        for (path, begin) in [
            (".kamal/secrets.age", ".kamal/secrets.age is not encrypted with age\nhelp: "),
            (".kamal/secrets.sops", ".kamal/secrets.sops is not encrypted with sops in dotenv form\nhelp: "),
            (".kamal/secrets.sops.env", ".kamal/secrets.sops.env is not encrypted with sops in dotenv form\nhelp: "),
        ] {
            let error = read(path, "A=oops\n", &Script::default()).unwrap_err();
            assert!(error.starts_with(begin), "{error}");
        }
        let error = plain(".kamal/secrets", vec![0x41, 0x3d, 0xff], None).unwrap_err();
        assert_eq!(error.to_string(), ".kamal/secrets is no text in UTF-8");
    }
}
