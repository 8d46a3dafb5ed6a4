;; bits:checksum, written by hand: the whole component is this file.
;;
;; Top to bottom: a core module that computes, then the component around it, which gives the
;; core functions the types of wit/world.wit. A `list<u8>` reaches the core as two numbers,
;; where its bytes begin and how many they are, and the result goes back as one number.
(component
  (core module $sums
    ;; 0x00  table of crc32, 16 numbers of 4 bytes
    ;; 0x40  table of crc32c, the same
    ;; 0x80  the argument
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 0x80))

    ;; Entry i is what four rounds of shifting and dividing make of the four bits i,
    ;; with the polynomial 0xedb88320 (bits reversed), lowest byte first.
    (data (i32.const 0x00)
      "\00\00\00\00" "\64\10\b7\1d" "\c8\20\6e\3b" "\ac\30\d9\26"
      "\90\41\dc\76" "\f4\51\6b\6b" "\58\61\b2\4d" "\3c\71\05\50"
      "\20\83\b8\ed" "\44\93\0f\f0" "\e8\a3\d6\d6" "\8c\b3\61\cb"
      "\b0\c2\64\9b" "\d4\d2\d3\86" "\78\e2\0a\a0" "\1c\f2\bd\bd")
    ;; The same with 0x82f63b78.
    (data (i32.const 0x40)
      "\00\00\00\00" "\6f\c7\5e\10" "\de\8e\bd\20" "\b1\49\e3\30"
      "\bc\1d\7b\41" "\d3\da\25\51" "\62\93\c6\61" "\0d\54\98\71"
      "\78\3b\f6\82" "\17\fc\a8\92" "\a6\b5\4b\a2" "\c9\72\15\b2"
      "\c4\26\8d\c3" "\ab\e1\d3\d3" "\1a\a8\30\e3" "\75\6f\6e\f3")

    (func (export "crc32") (param $at i32) (param $len i32) (result i32)
      (call $crc (i32.const 0x00) (local.get $at) (local.get $len)))

    (func (export "crc32c") (param $at i32) (param $len i32) (result i32)
      (call $crc (i32.const 0x40) (local.get $at) (local.get $len)))

    (func (export "adler32") (param $at i32) (param $len i32) (result i32)
      (call $sum (i32.const 1) (i32.const 65521) (i32.const 16) (local.get $at) (local.get $len)))

    (func (export "fletcher16") (param $at i32) (param $len i32) (result i32)
      (call $sum (i32.const 0) (i32.const 255) (i32.const 8) (local.get $at) (local.get $len)))

    ;; Divides the bytes by the polynomial behind $table, four bits at a time.
    ;; The register starts with all bits set and ends inverted, so that leading zeros count.
    (func $crc (param $table i32) (param $at i32) (param $len i32) (result i32)
      (local $end i32)
      (local $crc i32)
      (local.set $end (i32.add (local.get $at) (local.get $len)))
      (local.set $crc (i32.const -1))
      (block $done
        (loop $next
          (br_if $done (i32.eq (local.get $at) (local.get $end)))
          (local.set $crc (i32.xor (local.get $crc) (i32.load8_u (local.get $at))))
          (local.set $crc (call $four-bits (local.get $table) (local.get $crc)))
          (local.set $crc (call $four-bits (local.get $table) (local.get $crc)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next)))
      (i32.xor (local.get $crc) (i32.const -1)))

    ;; table[crc & 15] ^ (crc >> 4)
    (func $four-bits (param $table i32) (param $crc i32) (result i32)
      (i32.xor
        (i32.load
          (i32.add
            (local.get $table)
            (i32.shl (i32.and (local.get $crc) (i32.const 15)) (i32.const 2))))
        (i32.shr_u (local.get $crc) (i32.const 4))))

    ;; Adds up the bytes, and after each byte the sum so far, both modulo $modulus.
    ;; The second sum is what notices bytes that changed places. It ends $shift bits up.
    (func $sum
      (param $start i32) (param $modulus i32) (param $shift i32) (param $at i32) (param $len i32)
      (result i32)
      (local $end i32)
      (local $first i32)
      (local $second i32)
      (local.set $end (i32.add (local.get $at) (local.get $len)))
      (local.set $first (local.get $start))
      (block $done
        (loop $next
          (br_if $done (i32.eq (local.get $at) (local.get $end)))
          (local.set $first
            (i32.rem_u
              (i32.add (local.get $first) (i32.load8_u (local.get $at)))
              (local.get $modulus)))
          (local.set $second
            (i32.rem_u
              (i32.add (local.get $second) (local.get $first))
              (local.get $modulus)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next)))
      (i32.or (i32.shl (local.get $second) (local.get $shift)) (local.get $first)))

    ;; The host asks here for the room it copies an argument into. Nothing is given back one by
    ;; one: `done` frees it all after the call. So $old is always 0 and bytes need no alignment.
    (func (export "realloc") (param $old i32) (param $old-len i32) (param $align i32) (param $len i32)
      (result i32)
      (local $at i32)
      (local $missing i32)
      (local.set $at (global.get $free))
      (global.set $free (i32.add (local.get $at) (local.get $len)))
      ;; An address beyond 4 GiB wraps round.
      (if (i32.lt_u (global.get $free) (local.get $at)) (then unreachable))
      ;; Pages of 64 KiB, rounded up, less those there are.
      (local.set $missing
        (i32.sub
          (i32.add
            (i32.shr_u (global.get $free) (i32.const 16))
            (i32.ne (i32.and (global.get $free) (i32.const 0xffff)) (i32.const 0)))
          (memory.size)))
      (if (i32.gt_s (local.get $missing) (i32.const 0))
        (then
          (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1)) (then unreachable))))
      (local.get $at))

    (func (export "done") (param $result i32)
      (global.set $free (i32.const 0x80))))

  (core instance $core (instantiate $sums))
  (alias core export $core "memory" (core memory $memory))
  (alias core export $core "realloc" (core func $realloc))
  (alias core export $core "done" (core func $done))

  (func $crc32 (param "data" (list u8)) (result u32)
    (canon lift (core func $core "crc32")
      (memory $memory) (realloc $realloc) (post-return $done)))
  (func $crc32c (param "data" (list u8)) (result u32)
    (canon lift (core func $core "crc32c")
      (memory $memory) (realloc $realloc) (post-return $done)))
  (func $adler32 (param "data" (list u8)) (result u32)
    (canon lift (core func $core "adler32")
      (memory $memory) (realloc $realloc) (post-return $done)))
  (func $fletcher16 (param "data" (list u8)) (result u16)
    (canon lift (core func $core "fletcher16")
      (memory $memory) (realloc $realloc) (post-return $done)))

  (instance $interface
    (export "crc32" (func $crc32))
    (export "crc32c" (func $crc32c))
    (export "adler32" (func $adler32))
    (export "fletcher16" (func $fletcher16)))
  (export "bits:checksum/sums@1.0.0" (instance $interface)))
