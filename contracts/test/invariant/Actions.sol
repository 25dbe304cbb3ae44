// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {AstroToken} from "../../src/AstroToken.sol";
import {Debit, Escrow} from "../../src/Escrow.sol";
import {Payout} from "../../src/Payouts.sol";
import {Parameter, ProtocolParameters} from "../../src/ProtocolParameters.sol";
import {Rewards} from "../../src/Rewards.sol";
import {Case, Slashing, Status} from "../../src/Slashing.sol";
import {Role, Staking} from "../../src/Staking.sol";
import {Test} from "../support/Forge.sol";
import {Tree} from "../support/Tree.sol";

/// @notice The accounts and contracts that the invariant runs act with.
struct World {
    AstroToken token;
    Escrow escrow;
    Staking staking;
    Slashing slashing;
    Rewards rewards;
    ProtocolParameters parameters;
    address timelock;
    address settler;
    address verifier;
    address publisher;
    address[] accounts;
}

/// @notice Tenants, providers and the platform using the escrow in any order.
contract EscrowActions is Test {
    World private world;
    Payout[] private _open;
    bytes32[][] private _proofs;
    bytes32[] private _batches;
    uint256 private immutable _begun = block.timestamp;
    /// @notice Batches that burned, or gave validators, another part than what was in force when they were charged.
    uint256 public settledByAnotherFee;
    /// @notice What all batches have given validators.
    uint256 public toValidators;

    constructor(World memory world_) {
        world = world_;
    }

    function deposit(uint256 who, uint256 amount) external {
        address account = _account(who);
        amount = bound(amount, 1, 1_000_000 ether);
        vm.prank(account);
        world.escrow.deposit(_account(amount), amount);
    }

    function settle(uint256 who, uint256 gross, uint256 parts, uint32 age) external {
        address tenant = _account(who);
        uint256 balance = world.escrow.balanceOf(tenant);
        if (balance == 0) return;
        gross = bound(gross, 1, balance);
        parts = bound(parts, 1, 5);
        uint256 chargedAt = _chargedBefore(age);
        uint256 fee = (gross * world.parameters.getAt(Parameter.FeeBps, chargedAt)) / 10_000;
        bytes32 batch = keccak256(abi.encode(_batches.length));
        Payout[] memory payouts = _payouts(batch, who, gross - fee, parts);
        Debit[] memory debits = new Debit[](1);
        debits[0] = Debit(tenant, gross);
        _settleAndSee(batch, payouts, debits, fee, chargedAt);
        _batches.push(batch);
        for (uint256 index = 0; index < parts; ++index) {
            _open.push(payouts[index]);
            _proofs.push(Tree.proofOf(payouts, index));
        }
    }

    function _settleAndSee(
        bytes32 batch,
        Payout[] memory payouts,
        Debit[] memory debits,
        uint256 fee,
        uint256 chargedAt
    ) private {
        (uint256 supply, uint256 funded) = (world.token.totalSupply(), world.rewards.funded());
        vm.prank(world.settler);
        world.escrow.settle(batch, Tree.rootOf(payouts), debits[0].amount - fee, chargedAt, debits);
        funded = world.rewards.funded() - funded;
        toValidators += funded;
        if (
            supply - world.token.totalSupply() != _shareOf(fee, Parameter.FeeBurnShareBps, chargedAt)
                || funded != _shareOf(fee, Parameter.FeeValidatorShareBps, chargedAt)
        ) settledByAnotherFee += 1;
    }

    function _shareOf(uint256 fee, Parameter share, uint256 time) private view returns (uint256) {
        return (fee * world.parameters.getAt(share, time)) / 10_000;
    }

    /// @dev A second that is over, between the deployment and now, and not too long ago.
    function _chargedBefore(uint32 age) private returns (uint256) {
        vm.warp(block.timestamp + 1);
        uint256 most = block.timestamp - _begun - 1;
        return block.timestamp - 1 - bound(age, 0, most > 89 days ? 89 days : most);
    }

    function _payouts(bytes32 batch, uint256 who, uint256 net, uint256 parts)
        private
        view
        returns (Payout[] memory payouts)
    {
        payouts = new Payout[](parts);
        for (uint256 index = 0; index < parts; ++index) {
            // One tree in three promises more than its batch holds, as a broken platform's would.
            uint256 share = (batch[0] < 0x55 ? 2 * net : net) / parts;
            payouts[index] = Payout(batch, index, _account(who + index), share);
        }
    }

    function claim(uint256 number) external {
        if (_open.length == 0) return;
        number = bound(number, 0, _open.length - 1);
        world.escrow.claim(_open[number], _proofs[number]);
    }

    /// @notice What all batches still owe, each by itself.
    function owed() external view returns (uint256 sum) {
        for (uint256 index = 0; index < _batches.length; ++index) {
            (, uint256 total, uint256 paid) = world.escrow.batchOf(_batches[index]);
            sum += total - paid;
        }
    }

    function refund(uint256 who, uint256 amount) external {
        uint256 balance = world.escrow.balanceOf(_account(who));
        if (balance == 0) return;
        vm.prank(world.settler);
        world.escrow.refund(_account(who), bound(amount, 1, balance), "refund");
    }

    function leave(uint256 who, uint256 amount, uint32 elapsed) external {
        uint256 balance = world.escrow.balanceOf(_account(who));
        if (balance == 0) return;
        amount = bound(amount, 1, balance);
        vm.prank(_account(who));
        world.escrow.announceWithdrawal(amount);
        vm.warp(block.timestamp + bound(elapsed, 0, 20 days));
        vm.prank(_account(who));
        world.escrow.withdraw();
    }

    function _account(uint256 who) private view returns (address) {
        return world.accounts[who % world.accounts.length];
    }
}

/// @notice Stakers, delegators, accusers and the court in any order.
contract StakingActions is Test {
    World private world;
    /// @notice What was withdrawn less than its bucket was worth when it was released: must stay zero.
    uint256 public takenAfterRelease;

    constructor(World memory world_) {
        world = world_;
    }

    function stake(uint256 who, uint256 on, uint8 role, uint256 amount) external {
        bool registered = world.staking.providerOf(_role(role), _account(on)).subject != 0;
        vm.prank(_account(registered ? who : on));
        if (registered) world.staking.stake(_role(role), _account(on), bound(amount, 1, 1_000_000 ether));
        else world.staking.register(_role(role), "subject", bound(amount, 10_000 ether, 1_000_000 ether));
    }

    function unbond(uint256 who, uint256 on, uint8 role, uint256 amount) external {
        uint256 held = world.staking.stakeOf(_role(role), _account(on), _account(who));
        if (held == 0) return;
        vm.prank(_account(who));
        world.staking.unbond(_role(role), _account(on), bound(amount, 1, held));
    }

    function withdraw(uint256 who, uint256 on, uint8 role, uint256 bucket) external {
        (address holder, address account) = (_account(who), _account(on));
        uint256 buckets = world.staking.bucketCount(_role(role), account);
        if (buckets == 0) return;
        bucket = bound(bucket, 0, buckets - 1);
        vm.prank(holder);
        world.staking.withdraw(_role(role), account, bucket);
    }

    function pass(uint32 elapsed) external {
        vm.warp(block.timestamp + bound(elapsed, 1 hours, 10 days));
    }

    function accuse(uint256 who, uint256 on, uint8 role, uint16 fraction) external {
        vm.prank(_account(who));
        world.slashing.accuse(_role(role), _account(on), uint16(bound(fraction, 1, 5_000)), "evidence");
    }

    function judge(uint256 number, bool right) external {
        if (world.slashing.count() == 0) return;
        uint256 id = _case(number);
        vm.prank(world.verifier);
        if (right) world.slashing.uphold(id);
        else world.slashing.dismiss(id);
    }

    function appeal(uint256 number) external {
        if (world.slashing.count() == 0) return;
        uint256 id = _case(number);
        address accused = world.slashing.caseOf(id).accused;
        vm.prank(accused);
        world.slashing.appeal(id);
    }

    function decide(uint256 number, bool right) external {
        if (world.slashing.count() == 0) return;
        uint256 id = _case(number);
        vm.prank(world.timelock);
        world.slashing.decide(id, right);
    }

    function end(uint256 number) external {
        if (world.slashing.count() == 0) return;
        uint256 id = _case(number);
        Case memory current = world.slashing.caseOf(id);
        vm.warp(block.timestamp + 25 days);
        if (current.status == Status.Open) world.slashing.expire(id);
        else world.slashing.execute(id);
    }

    /// @notice A whole dispute, up to the decision of governance.
    function dispute(uint256 number, bool right) external {
        if (world.slashing.count() == 0) return;
        uint256 id = _case(number);
        Case memory current = world.slashing.caseOf(id);
        if (current.status != Status.Open) return;
        if (block.timestamp <= current.deadline) vm.warp(current.deadline + 1);
        vm.prank(world.verifier);
        world.slashing.uphold(id);
        vm.prank(current.accused);
        world.slashing.appeal(id);
        vm.prank(world.timelock);
        world.slashing.decide(id, right);
    }

    /// @notice Stake that is released before its provider is slashed, and taken out afterwards.
    function depart(uint256 on, uint8 role, uint16 fraction) external {
        address account = _account(on);
        uint256 held = world.staking.stakeOf(_role(role), account, account);
        if (held < 4 || world.staking.providerOf(_role(role), account).openCases > 0) return;
        vm.prank(account);
        uint256 bucket = world.staking.unbond(_role(role), account, held / 4);
        vm.warp(block.timestamp + 70 days);
        vm.prank(account);
        world.staking.unbond(_role(role), account, 1);
        uint256 worth = (
            world.staking.leavingOf(_role(role), account, bucket, account)
                * world.staking.bucketOf(_role(role), account, bucket).factor
        ) / 1e27;
        _slash(account, role, fraction);
        vm.prank(account);
        if (world.staking.withdraw(_role(role), account, bucket) < worth) takenAfterRelease += 1;
    }

    function _slash(address account, uint8 role, uint16 fraction) private {
        uint256 most = world.parameters.get(Parameter.MaxSlashBps);
        vm.prank(world.accounts[0]);
        uint256 id =
            world.slashing.accuse(_role(role), account, uint16(bound(fraction, 1, most)), "evidence");
        vm.warp(world.slashing.caseOf(id).deadline + 1);
        vm.prank(world.verifier);
        world.slashing.uphold(id);
        vm.warp(world.slashing.caseOf(id).deadline + 1);
        world.slashing.execute(id);
    }

    function _case(uint256 number) private view returns (uint256) {
        return bound(number, 0, world.slashing.count() - 1);
    }

    function _role(uint8 role) private pure returns (Role) {
        return Role(role % 2);
    }

    function _account(uint256 who) private view returns (address) {
        return world.accounts[who % world.accounts.length];
    }
}

/// @notice Epochs of rewards, burning, and attempts of strangers to administer, in any order.
contract EconomyActions is Test {
    World private world;
    uint256 private _epoch;

    constructor(World memory world_) {
        world = world_;
    }

    function publish(uint256 total, uint32 elapsed) external {
        vm.warp(block.timestamp + bound(elapsed, 0, 90 days));
        (, uint256 published,) = world.rewards.totals();
        uint256 available = world.rewards.emittedBy(block.timestamp) + world.rewards.funded() - published;
        // Now and then more than is available is asked for.
        total = bound(total, 1, 1 + available + available / 4);
        vm.prank(world.publisher);
        world.rewards.publish(_epoch, keccak256(abi.encode(_epoch)), total);
        _epoch += 1;
    }

    function burn(uint256 who, uint256 amount) external {
        address account = world.accounts[who % world.accounts.length];
        amount = bound(amount, 0, world.token.balanceOf(account) / 100);
        vm.prank(account);
        world.token.burn(amount);
    }

    function setParameter(uint8 number, uint256 value) external {
        Parameter parameter = Parameter(number % (uint8(type(Parameter).max) + 1));
        if (value % 3 != 0) value = _within(parameter, value);
        vm.prank(world.timelock);
        world.parameters.set(parameter, value);
    }

    function usurp(uint256 who, uint8 what, bytes32 role) external {
        address account = world.accounts[who % world.accounts.length];
        bytes32 wanted = what % 2 == 0 ? bytes32(0) : role;
        if (what % 7 == 1) wanted = keccak256("SLASHER_ROLE");
        if (what % 7 == 2) wanted = keccak256("VERIFIER_ROLE");
        address[5] memory targets = [
            address(world.escrow),
            address(world.staking),
            address(world.rewards),
            address(world.parameters),
            address(world.slashing)
        ];
        vm.prank(account);
        IAccessControl(targets[what % 5]).grantRole(wanted, account);
    }

    function _within(Parameter parameter, uint256 value) private view returns (uint256) {
        (uint256 min, uint256 max) = world.parameters.bounds(parameter);
        return bound(value, min, max);
    }
}
