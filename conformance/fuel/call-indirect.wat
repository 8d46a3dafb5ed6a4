;; Calls through a table: of the right type, of another, of nothing, and outside of it.
(component
  (core module $m
    (type $f (func (param i32) (result i32)))
    (table funcref (elem $double $square $other $null))
    (table $nulls 1 funcref)
    (func $double (type $f) (i32.mul (local.get 0) (i32.const 2)))
    (func $square (type $f) (i32.mul (local.get 0) (local.get 0)))
    (func $other (result i32) (i32.const 7))
    (func $null (param i32) (result i32) (call_indirect $nulls (type $f) (local.get 0) (i32.const 0)))
    (func (export "run") (param $n i32) (result i32)
      (call_indirect (type $f) (i32.const 9) (local.get $n))))
  (core instance $i (instantiate $m))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
