"""Python's ovs (IDL) and ovsdbapp as clients of one server; argv: remote, schema file."""
import sys, time
import ovs.db.idl, ovs.poller, ovs.stream
from ovs.db import data
remote, schema = sys.argv[1:3]

def wait(idl, cond, secs=10):
    end = time.time() + secs
    while not cond():
        assert time.time() < end, "timed out"
        idl.run()
        p = ovs.poller.Poller()
        idl.wait(p)
        p.timer_wait(100)
        if not cond():
            p.block()

def idl_part():
    helper = ovs.db.idl.SchemaHelper(schema)
    helper.register_all()
    events = []
    class Idl(ovs.db.idl.Idl):
        def notify(self, event, row, updates=None):
            events.append((event, row._table.name))
    idl = Idl(remote, helper)
    wait(idl, lambda: idl.has_ever_connected())
    txn = ovs.db.idl.Transaction(idl)
    root = txn.insert(idl.tables["Open_vSwitch"])
    br = txn.insert(idl.tables["Bridge"])
    br.name = "py0"
    root.bridges = [br]
    root.external_ids = {"a": "b"}
    txn.add_comment("from Python")
    assert txn.commit_block() == ovs.db.idl.Transaction.SUCCESS, txn.get_error()
    wait(idl, lambda: len(idl.tables["Bridge"].rows) == 1)
    root = next(iter(idl.tables["Open_vSwitch"].rows.values()))
    br = next(iter(idl.tables["Bridge"].rows.values()))
    assert root.bridges == [br] and br.name == "py0" and root.external_ids == {"a": "b"}
    # Keys of maps, one by one; increments; verification.
    txn = ovs.db.idl.Transaction(idl)
    root.setkey("external_ids", "c", "d")
    root.delkey("external_ids", "a")
    root.verify("next_cfg")
    root.increment("next_cfg")
    assert txn.commit_block() == ovs.db.idl.Transaction.SUCCESS, txn.get_error()
    assert txn.get_increment_new_value() == 1
    wait(idl, lambda: root.external_ids == {"c": "d"})
    # A second client's conditional monitor.
    helper2 = ovs.db.idl.SchemaHelper(schema)
    helper2.register_columns("Bridge", ["name", "external_ids"])
    idl2 = ovs.db.idl.Idl(remote, helper2)
    idl2.cond_change("Bridge", [["name", "==", "py1"]])
    wait(idl2, lambda: idl2.has_ever_connected())
    assert not idl2.tables["Bridge"].rows
    txn = ovs.db.idl.Transaction(idl)
    br1 = txn.insert(idl.tables["Bridge"])
    br1.name = "py1"
    root.addvalue("bridges", br1)
    assert txn.commit_block() == ovs.db.idl.Transaction.SUCCESS, txn.get_error()
    wait(idl2, lambda: len(idl2.tables["Bridge"].rows) == 1)
    idl2.cond_change("Bridge", [True])
    wait(idl2, lambda: len(idl2.tables["Bridge"].rows) == 2)
    # Constraint: a second bridge of one name.
    txn = ovs.db.idl.Transaction(idl)
    dup = txn.insert(idl.tables["Bridge"])
    dup.name = "py1"
    root.addvalue("bridges", dup)
    assert txn.commit_block() == ovs.db.idl.Transaction.ERROR
    assert "constraint violation" in txn.get_error(), txn.get_error()
    # Locks.
    idl.set_lock("L")
    wait(idl, lambda: idl.has_lock)
    idl2.set_lock("L")
    wait(idl2, lambda: idl2.is_lock_contended)
    idl.set_lock(None)
    for _ in range(50):
        idl.run()
    wait(idl2, lambda: idl2.has_lock)
    # Reconnection.
    idl.force_reconnect()
    for _ in range(20):
        idl.run()
        time.sleep(0.02)
    wait(idl, lambda: idl._session.is_connected() and len(idl.tables["Bridge"].rows) == 2)
    assert ("create", "Bridge") in events and ("update", "Open_vSwitch") in events
    idl.close()
    idl2.close()

def app_part():
    from ovsdbapp.backend.ovs_idl import connection
    from ovsdbapp.schema.open_vswitch import impl_idl
    i = connection.OvsdbIdl.from_server(remote, "Open_vSwitch")
    c = connection.Connection(idl=i, timeout=10)
    api = impl_idl.OvsdbIdl(c)
    with api.transaction(check_error=True) as t:
        t.add(api.add_br("app0"))
        t.add(api.add_port("app0", "p1"))
        t.add(api.db_set("Interface", "p1", ("type", "internal"), ("external_ids", {"iface-id": "x"})))
    assert api.br_exists("app0").execute(check_error=True)
    assert api.list_ports("app0").execute(check_error=True) == ["p1"]
    assert api.iface_to_br("p1").execute(check_error=True) == "app0"
    assert api.db_get("Interface", "p1", "external_ids").execute(check_error=True) == {"iface-id": "x"}
    found = api.db_find("Interface", ("type", "=", "internal"), columns=["name"]).execute(check_error=True)
    assert {"name": "p1"} in found, found
    api.del_port("p1", "app0").execute(check_error=True)
    api.del_br("app0").execute(check_error=True)
    assert not api.br_exists("app0").execute(check_error=True)
    c.stop()

idl_part()
app_part()
print("good")
