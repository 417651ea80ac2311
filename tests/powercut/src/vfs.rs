//! The C functions that SQLite calls. Each turns its pointers into what [`crate::disk`] understands, and its answer into a code.
//!
//! Like SQLite's own Unix VFS it reports sectors of 4096 bytes and `POWERSAFE_OVERWRITE`: a write cut short harms no byte beside it.
//! No memory mapping of the database (`iVersion` 2), which the product does not use.

use crate::disk::{Disk, File, Kind, Refused};
use crate::locks::Level;
use libsqlite3_sys as ffi;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// SQLite's file header, and our file behind it.
#[repr(C)]
struct Opened {
    base: ffi::sqlite3_file,
    file: *mut File,
}

/// Makes a disk known to SQLite under a name, until the process ends: `sqlite://PATH?vfs=NAME`.
pub fn register(name: &str, disk: &Arc<Disk>) {
    let name = CString::new(name).expect("a name has no NUL");
    // SAFETY: the default VFS lives as long as the process; only plain fields are copied from it.
    let system = unsafe { *ffi::sqlite3_vfs_find(ptr::null()) };
    let vfs = ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: size_of::<Opened>() as c_int,
        mxPathname: 512,
        pNext: ptr::null_mut(),
        zName: name.into_raw(),
        pAppData: Box::into_raw(Box::new(disk.clone())).cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        // Dice, sleep and time of the host, which read nothing of the struct.
        ..system
    };
    // SAFETY: the struct, its name and its disk are leaked: they outlive every connection.
    let registered = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(vfs)), 0) };
    assert_eq!(registered, ffi::SQLITE_OK, "SQLite takes the VFS");
}

/// What one statement answers: all rows, their first column. A connection of its own, beside those of the program under test.
pub fn ask(path: &str, vfs: &str, sql: &str) -> Result<Vec<String>, c_int> {
    let text = |text: &str| CString::new(text).expect("no NUL");
    let (path, vfs, sql) = (text(path), text(vfs), text(sql));
    let mut answers: Vec<String> = Vec::new();
    let mut connection = ptr::null_mut();
    // SAFETY: all strings are NUL-terminated and outlive the calls; `answers` outlives `sqlite3_exec`; the connection is closed even when
    // it failed to open, as SQLite wants.
    let code = unsafe {
        let opened = ffi::sqlite3_open_v2(path.as_ptr(), &mut connection, ffi::SQLITE_OPEN_READWRITE, vfs.as_ptr());
        let code = if opened == ffi::SQLITE_OK {
            let into: *mut Vec<String> = &mut answers;
            ffi::sqlite3_exec(connection, sql.as_ptr(), Some(row), into.cast(), ptr::null_mut())
        } else {
            opened
        };
        ffi::sqlite3_close(connection);
        code
    };
    if code == ffi::SQLITE_OK { Ok(answers) } else { Err(code) }
}

unsafe extern "C" fn row(into: *mut c_void, columns: c_int, values: *mut *mut c_char, _: *mut *mut c_char) -> c_int {
    // SAFETY: `into` is the vector of `ask`; SQLite gives as many values as columns, each NULL or a string.
    unsafe {
        let first = if columns > 0 { *values } else { ptr::null_mut() };
        let text = if first.is_null() { "NULL".into() } else { CStr::from_ptr(first).to_string_lossy().into_owned() };
        (*into.cast::<Vec<String>>()).push(text);
    }
    ffi::SQLITE_OK
}

/// The disk of a VFS.
unsafe fn disk<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Arc<Disk> {
    // SAFETY: SQLite hands back the VFS of `register`, whose `pAppData` is a leaked `Box<Arc<Disk>>`.
    unsafe { &*(*vfs).pAppData.cast::<Arc<Disk>>() }
}

/// Our file behind SQLite's.
unsafe fn file<'a>(file: *mut ffi::sqlite3_file) -> &'a mut File {
    // SAFETY: `open` has put an `Opened` there with a live `File`, and SQLite serialises the calls on one file of one connection.
    unsafe { &mut *(*file.cast::<Opened>()).file }
}

unsafe fn text<'a>(name: *const c_char) -> Option<&'a str> {
    // SAFETY: SQLite's names are NULL or NUL-terminated, and live as long as the call.
    if name.is_null() { None } else { unsafe { CStr::from_ptr(name) }.to_str().ok() }
}

fn code(answer: Result<(), Refused>, failed: c_int) -> c_int {
    match answer {
        Ok(()) => ffi::SQLITE_OK,
        Err(Refused::Full) => ffi::SQLITE_FULL,
        Err(Refused::Absent) => ffi::SQLITE_CANTOPEN,
        Err(Refused::Dead | Refused::Broken) => failed,
    }
}

fn busy(answer: Result<bool, Refused>, failed: c_int) -> c_int {
    match answer {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_BUSY,
        Err(_) => failed,
    }
}

/// Sizes and offsets are never negative.
fn size(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(0)
}

fn level(level: c_int) -> Level {
    match level {
        ffi::SQLITE_LOCK_SHARED => Level::Shared,
        ffi::SQLITE_LOCK_RESERVED => Level::Reserved,
        ffi::SQLITE_LOCK_PENDING => Level::Pending,
        ffi::SQLITE_LOCK_EXCLUSIVE => Level::Exclusive,
        _ => Level::None,
    }
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    into: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let kind = match flags {
        f if f & ffi::SQLITE_OPEN_MAIN_DB != 0 => Kind::Database,
        f if f & ffi::SQLITE_OPEN_WAL != 0 => Kind::Log,
        f if f & (ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL) != 0 => Kind::Journal,
        _ => Kind::Temporary,
    };
    // SAFETY: SQLite gives `szOsFile` bytes for an `Opened`; a NULL `pMethods` says that there is nothing to close.
    unsafe {
        (*into).pMethods = ptr::null();
        match disk(vfs).open(text(name), kind, flags & ffi::SQLITE_OPEN_CREATE != 0 || name.is_null()) {
            Ok(file) => {
                let base = ffi::sqlite3_file { pMethods: &METHODS };
                into.cast::<Opened>().write(Opened { base, file: Box::into_raw(Box::new(file)) });
                if !flags_out.is_null() {
                    *flags_out = flags;
                }
                ffi::SQLITE_OK
            }
            Err(refused) => code(Err(refused), ffi::SQLITE_CANTOPEN),
        }
    }
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    // SAFETY: see `disk` and `text`.
    let answer = unsafe { disk(vfs).delete(text(name).unwrap_or_default(), sync_directory != 0) };
    if answer == Err(Refused::Absent) { ffi::SQLITE_IOERR_DELETE_NOENT } else { code(answer, ffi::SQLITE_IOERR_DELETE) }
}

unsafe extern "C" fn access(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, _: c_int, out: *mut c_int) -> c_int {
    // SAFETY: see `disk` and `text`; `out` is SQLite's.
    unsafe { *out = c_int::from(disk(vfs).exists(text(name).unwrap_or_default())) };
    ffi::SQLITE_OK
}

/// Names are absolute already.
unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: `name` is NUL-terminated, and `out` has `room` bytes.
    unsafe {
        let bytes = CStr::from_ptr(name).to_bytes_with_nul();
        if bytes.len() > size(room) {
            return ffi::SQLITE_CANTOPEN;
        }
        ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(of: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `open` made the box, and SQLite closes a file once.
    unsafe { drop(Box::from_raw((*of.cast::<Opened>()).file)) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(of: *mut ffi::sqlite3_file, into: *mut c_void, amount: c_int, at: i64) -> c_int {
    // SAFETY: `into` has `amount` bytes; they are zeroed before anything reads them.
    let answer = unsafe {
        ptr::write_bytes(into.cast::<u8>(), 0, size(amount));
        file(of).read(size(at), std::slice::from_raw_parts_mut(into.cast(), size(amount)))
    };
    match answer {
        Ok(there) if there < size(amount) => ffi::SQLITE_IOERR_SHORT_READ,
        answer => code(answer.map(|_| ()), ffi::SQLITE_IOERR_READ),
    }
}

unsafe extern "C" fn write(of: *mut ffi::sqlite3_file, from: *const c_void, amount: c_int, at: i64) -> c_int {
    // SAFETY: `from` has `amount` bytes.
    let answer = unsafe { file(of).write(size(at), std::slice::from_raw_parts(from.cast(), size(amount))) };
    code(answer, ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(of: *mut ffi::sqlite3_file, to: i64) -> c_int {
    // SAFETY: see `file`.
    code(unsafe { file(of) }.truncate(size(to)), ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(of: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: see `file`.
    code(unsafe { file(of) }.sync(), ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(of: *mut ffi::sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: see `file`; `out` is SQLite's.
    unsafe {
        let answer = file(of).size();
        *out = answer.unwrap_or(0).try_into().unwrap_or(i64::MAX);
        code(answer.map(|_| ()), ffi::SQLITE_IOERR_FSTAT)
    }
}

unsafe extern "C" fn lock(of: *mut ffi::sqlite3_file, wanted: c_int) -> c_int {
    // SAFETY: see `file`.
    busy(unsafe { file(of) }.lock(level(wanted)), ffi::SQLITE_IOERR_LOCK)
}

unsafe extern "C" fn unlock(of: *mut ffi::sqlite3_file, left: c_int) -> c_int {
    // SAFETY: see `file`.
    unsafe { file(of) }.unlock(level(left));
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(of: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: see `file`; `out` is SQLite's.
    unsafe {
        let answer = file(of).reserved();
        *out = c_int::from(answer.unwrap_or(false));
        code(answer.map(|_| ()), ffi::SQLITE_IOERR_CHECKRESERVEDLOCK)
    }
}

unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    4096
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    of: *mut ffi::sqlite3_file,
    number: c_int,
    bytes: c_int,
    make: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: see `file`; `out` is SQLite's. The region stays where it is while this file holds the shared memory.
    unsafe {
        let answer = file(of).region(size(number), size(bytes), make != 0);
        *out = answer.ok().flatten().map_or(ptr::null_mut(), <*mut u8>::cast);
        code(answer.map(|_| ()), ffi::SQLITE_IOERR_SHMMAP)
    }
}

unsafe extern "C" fn shm_lock(of: *mut ffi::sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    let slots = size(first)..size(first) + size(count);
    // SAFETY: see `file`.
    let file = unsafe { file(of) };
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        file.unlock_shared(slots);
        return ffi::SQLITE_OK;
    }
    busy(file.lock_shared(slots, flags & ffi::SQLITE_SHM_EXCLUSIVE != 0), ffi::SQLITE_IOERR_SHMLOCK)
}

unsafe extern "C" fn shm_barrier(of: *mut ffi::sqlite3_file) {
    // SAFETY: see `file`.
    unsafe { file(of) }.barrier();
}

unsafe extern "C" fn shm_unmap(of: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: see `file`.
    unsafe { file(of) }.unmap();
    ffi::SQLITE_OK
}
