// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {Debit, Escrow, Withdrawal} from "../src/Escrow.sol";
import {ExpiringPause} from "../src/ExpiringPause.sol";
import {Parameter, ProtocolParameters} from "../src/ProtocolParameters.sol";
import {Payout, Payouts} from "../src/Payouts.sol";
import {Rewards} from "../src/Rewards.sol";
import {Protocol} from "./support/Protocol.sol";
import {Tree} from "./support/Tree.sol";

contract EscrowTest is Protocol {
    bytes32 private constant BATCH = "batch";
    /// @dev The parameters are as the deployment set them.
    uint256 private constant CHARGED = GENESIS;
    uint256 private constant DEADLINE = GENESIS + 1;

    address private tenant = actor("tenant");
    address private provider = actor("provider");
    address private another = actor("another");

    function setUp() public override {
        super.setUp();
        vm.warp(GENESIS + 1);
        fund(tenant, 1_000_000 ether);
        vm.prank(tenant);
        escrow.deposit(tenant, 10_000 ether);
    }

    function test_anybodyDepositsForATenant() public {
        fund(another, 5 ether);
        vm.startPrank(another);
        escrow.deposit(tenant, 5 ether);
        vm.expectRevert(Escrow.NoTenant.selector);
        escrow.deposit(address(0), 5 ether);
        vm.expectRevert(Escrow.NoAmount.selector);
        escrow.deposit(tenant, 0);
        vm.stopPrank();
        vm.assertEq(escrow.balanceOf(tenant), 10_005 ether, "balance");
    }

    function test_depositsByPermit() public {
        uint256 key = 0xB0B;
        address owner = vm.addr(key);
        vm.prank(holder);
        token.transfer(owner, 7 ether);
        bytes32 permit = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                owner,
                address(escrow),
                7 ether,
                0,
                DEADLINE
            )
        );
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), permit));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        // Somebody else uses the signature first: the deposit goes through all the same.
        token.permit(owner, address(escrow), 7 ether, DEADLINE, v, r, s);
        vm.prank(owner);
        escrow.depositWithPermit(tenant, 7 ether, DEADLINE, v, r, s);
        vm.assertEq(escrow.balanceOf(tenant), 10_007 ether, "balance");
    }

    function test_aBatchPaysProvidersTreasuryAndTheFire() public {
        Payout[] memory payouts = _payouts(975 ether);
        uint256 supply = token.totalSupply();
        _settle(BATCH, payouts, 1_000 ether);
        vm.assertEq(supply - token.totalSupply(), 5 ether, "a fifth of 2.5 % burned");
        vm.assertEq(token.balanceOf(address(treasury)), TREASURY + 20 ether, "the rest of the fee");
        vm.assertEq(escrow.balanceOf(tenant), 9_000 ether, "debited");
        escrow.claim(payouts[0], Tree.proofOf(payouts, 0));
        escrow.claim(payouts[2], Tree.proofOf(payouts, 2));
        escrow.claim(payouts[1], Tree.proofOf(payouts, 1));
        vm.assertEq(token.balanceOf(provider) + token.balanceOf(another), 975 ether, "all is paid");
        (bytes32 root, uint256 total, uint256 paid) = escrow.batchOf(BATCH);
        vm.assertTrue(root == Tree.rootOf(payouts), "root");
        vm.assertEq(total, paid, "paid");
        (uint256 deposits, uint256 unclaimed) = escrow.liabilities();
        vm.assertEq(deposits, 9_000 ether, "deposits");
        vm.assertEq(unclaimed, 0, "unclaimed");
    }

    function test_anEntryIsPaidOnceAndOnlyWithItsProof() public {
        Payout[] memory payouts = _payouts(975 ether);
        _settle(BATCH, payouts, 1_000 ether);
        bytes32[] memory proof = Tree.proofOf(payouts, 0);
        escrow.claim(payouts[0], proof);
        vm.expectRevert(abi.encodeWithSelector(Payouts.AlreadyPaid.selector, BATCH, 0));
        escrow.claim(payouts[0], proof);
        Payout memory forged = Payout(BATCH, 1, provider, 900 ether);
        vm.expectRevert(abi.encodeWithSelector(Payouts.InvalidProof.selector, BATCH, 1, provider, 900 ether));
        escrow.claim(forged, Tree.proofOf(payouts, 1));
    }

    function test_aTreeThatPromisesTooMuchPaysNoMoreThanItsBatch() public {
        Payout[] memory payouts = _payouts(3 * 975 ether);
        _settle(BATCH, payouts, 1_000 ether);
        escrow.claim(payouts[0], Tree.proofOf(payouts, 0));
        bytes32[] memory proof = Tree.proofOf(payouts, 1);
        vm.expectRevert(abi.encodeWithSelector(Payouts.ListExhausted.selector, BATCH, 975 ether, 0));
        escrow.claim(payouts[1], proof);
    }

    function test_aBatchIsSettledOnce() public {
        Payout[] memory payouts = _payouts(975 ether);
        _settle(BATCH, payouts, 1_000 ether);
        vm.prank(settler);
        vm.expectRevert(abi.encodeWithSelector(Escrow.AlreadySettled.selector, BATCH));
        escrow.settle(BATCH, Tree.rootOf(payouts), 975 ether, CHARGED, _debits(1_000 ether));
    }

    function test_wrongBatchesAreRefused() public {
        vm.startPrank(settler);
        vm.expectRevert(abi.encodeWithSelector(Escrow.NoRoot.selector, BATCH));
        escrow.settle(BATCH, 0, 975 ether, CHARGED, _debits(1_000 ether));
        vm.expectRevert(abi.encodeWithSelector(Escrow.NetMismatch.selector, BATCH, 980 ether, 975 ether));
        escrow.settle(BATCH, "root", 980 ether, CHARGED, _debits(1_000 ether));
        vm.expectRevert(
            abi.encodeWithSelector(Escrow.InsufficientBalance.selector, tenant, 10_001 ether, 10_000 ether)
        );
        escrow.settle(BATCH, "root", 1, CHARGED, _debits(10_001 ether));
        vm.expectRevert(Escrow.NoAmount.selector);
        escrow.settle(BATCH, "root", 0, CHARGED, _debits(0));
        vm.expectRevert(abi.encodeWithSelector(Escrow.WrongNumberOfDebits.selector, 0, 500));
        escrow.settle(BATCH, "root", 0, CHARGED, new Debit[](0));
        vm.expectRevert(abi.encodeWithSelector(Escrow.WrongNumberOfDebits.selector, 501, 500));
        escrow.settle(BATCH, "root", 0, CHARGED, new Debit[](501));
        vm.stopPrank();
    }

    function test_validatorsHaveTheirPartOfTheFeeInTheirRewards() public {
        setParameter(Parameter.FeeValidatorShareBps, 3_000);
        vm.warp(GENESIS + 2);
        // Whoever pauses the rewards stops no settlement.
        vm.prank(guardian);
        rewards.pause();
        vm.prank(settler);
        escrow.settle(BATCH, "root", 975 ether, GENESIS + 1, _debits(1_000 ether));
        vm.assertEq(rewards.funded(), 7.5 ether, "three tenths of 2.5 %");
        vm.assertEq(token.balanceOf(address(rewards)), COMMUNITY + 7.5 ether, "held by the rewards");
        vm.assertEq(token.balanceOf(address(treasury)), TREASURY + 12.5 ether, "the rest of the fee");
        vm.assertEq(token.allowance(address(escrow), address(rewards)), 0, "no more is allowed");
    }

    function test_anEscrowFromBeforeLearnsWhereValidatorsArePaid() public {
        Escrow old = _deployed(Rewards(address(0)));
        asTimelock(
            address(old),
            abi.encodeCall(
                old.upgradeToAndCall, (address(new Escrow()), abi.encodeCall(Escrow.payValidatorsThrough, (rewards)))
            )
        );
        vm.startPrank(tenant);
        token.approve(address(old), 1_000 ether);
        old.deposit(tenant, 1_000 ether);
        vm.stopPrank();
        setParameter(Parameter.FeeValidatorShareBps, 3_000);
        vm.warp(GENESIS + 2);
        vm.prank(settler);
        old.settle(BATCH, "root", 975 ether, GENESIS + 1, _debits(1_000 ether));
        vm.assertEq(rewards.funded(), 7.5 ether, "paid");
        vm.prank(address(timelock));
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        old.payValidatorsThrough(rewards);
    }

    function testFuzz_theFeeIsSplitWithoutLoss(
        uint256 gross,
        uint256 feeBps,
        uint256 burnShareBps,
        uint256 validatorShareBps
    ) public {
        gross = bound(gross, 1, 10_000 ether);
        feeBps = bound(feeBps, 100, 500);
        burnShareBps = bound(burnShareBps, 0, 10_000);
        validatorShareBps = bound(validatorShareBps, 0, burnShareBps > 5_000 ? 10_000 - burnShareBps : 5_000);
        setParameter(Parameter.FeeBps, feeBps);
        setParameter(Parameter.FeeBurnShareBps, burnShareBps);
        setParameter(Parameter.FeeValidatorShareBps, validatorShareBps);
        uint256 chargedAt = block.timestamp;
        vm.warp(chargedAt + 1);
        uint256 supply = token.totalSupply();
        uint256 net = gross - (gross * feeBps) / 10_000;
        vm.prank(settler);
        escrow.settle(BATCH, "root", net, chargedAt, _debits(gross));
        uint256 burned = supply - token.totalSupply();
        uint256 toTreasury = token.balanceOf(address(treasury)) - TREASURY;
        uint256 toValidators = token.balanceOf(address(rewards)) - COMMUNITY;
        vm.assertEq(net + burned + toValidators + toTreasury, gross, "nothing lost");
        vm.assertEq(toValidators, ((gross - net) * validatorShareBps) / 10_000, "rounded down");
        vm.assertEq(rewards.funded(), toValidators, "and can be paid out");
        vm.assertEq(token.balanceOf(address(escrow)), 10_000 ether - gross + net, "what is owed");
    }

    function testFuzz_aChangeOfTheFeeIsNeverRetroactive(uint256 gross, uint256 later, uint256 laterShare, uint32 wait)
        public
    {
        gross = bound(gross, 1, 10_000 ether);
        vm.warp(GENESIS + bound(wait, 1, 89 days));
        setParameter(Parameter.FeeBps, bound(later, 100, 500));
        setParameter(Parameter.FeeBurnShareBps, bound(laterShare, 0, 5_000));
        setParameter(Parameter.FeeValidatorShareBps, bound(laterShare, 0, 5_000));
        uint256 supply = token.totalSupply();
        uint256 fee = (gross * 250) / 10_000;
        vm.prank(settler);
        escrow.settle(BATCH, "root", gross - fee, CHARGED, _debits(gross));
        vm.assertEq(supply - token.totalSupply(), (fee * 2_000) / 10_000, "burned as it was charged");
        vm.assertEq(rewards.funded(), 0, "and nothing for validators then");
        (, uint256 total,) = escrow.batchOf(BATCH);
        vm.assertEq(total, gross - fee, "net as it was charged");
    }

    function test_theTimeOfChargingIsPastAndNotLongAgo() public {
        vm.startPrank(settler);
        vm.expectRevert(
            abi.encodeWithSelector(ProtocolParameters.TimeNotPast.selector, block.timestamp, block.timestamp)
        );
        escrow.settle(BATCH, "root", 975 ether, block.timestamp, _debits(1_000 ether));
        vm.expectRevert(
            abi.encodeWithSelector(ProtocolParameters.TimeNotPast.selector, GENESIS + 1 days, block.timestamp)
        );
        escrow.settle(BATCH, "root", 975 ether, GENESIS + 1 days, _debits(1_000 ether));
        vm.expectRevert(
            abi.encodeWithSelector(
                ProtocolParameters.NothingInForce.selector, Parameter.FeeBps, GENESIS - 1
            )
        );
        escrow.settle(BATCH, "root", 975 ether, GENESIS - 1, _debits(1_000 ether));
        uint256 late = CHARGED + escrow.MAX_CHARGE_AGE() + 1;
        vm.warp(late);
        vm.expectRevert(abi.encodeWithSelector(Escrow.ChargedTooLongAgo.selector, BATCH, CHARGED, CHARGED + 1));
        escrow.settle(BATCH, "root", 975 ether, CHARGED, _debits(1_000 ether));
        vm.warp(late - 1);
        escrow.settle(BATCH, "root", 975 ether, CHARGED, _debits(1_000 ether));
        vm.stopPrank();
    }

    function test_aTenantLeavesWithoutThePlatform() public {
        vm.startPrank(tenant);
        vm.expectRevert(
            abi.encodeWithSelector(Escrow.InsufficientBalance.selector, tenant, 10_001 ether, 10_000 ether)
        );
        escrow.announceWithdrawal(10_001 ether);
        escrow.announceWithdrawal(10_000 ether);
        Withdrawal memory announced = escrow.withdrawalOf(tenant);
        vm.assertEq(announced.availableAt, GENESIS + 1 + 3 days, "delay");
        vm.warp(announced.availableAt - 1);
        vm.expectRevert(
            abi.encodeWithSelector(Escrow.NothingToWithdraw.selector, tenant, announced.availableAt)
        );
        escrow.withdraw();
        vm.stopPrank();
        // What was worked in the meantime is paid first.
        _settle(BATCH, _payouts(975 ether), 1_000 ether);
        vm.warp(announced.availableAt);
        vm.startPrank(tenant);
        vm.assertEq(escrow.withdraw(), 9_000 ether, "what is left");
        vm.expectRevert(abi.encodeWithSelector(Escrow.NothingToWithdraw.selector, tenant, 0));
        escrow.withdraw();
        vm.stopPrank();
    }

    function test_thePlatformGivesBack() public {
        vm.startPrank(settler);
        escrow.refund(tenant, 4_000 ether, "closed");
        vm.expectRevert(Escrow.NoAmount.selector);
        escrow.refund(tenant, 0, "closed");
        vm.expectRevert(abi.encodeWithSelector(Escrow.InsufficientBalance.selector, tenant, 7_000 ether, 6_000 ether));
        escrow.refund(tenant, 7_000 ether, "closed");
        vm.stopPrank();
        vm.assertEq(token.balanceOf(tenant), 994_000 ether, "back at once");
    }

    function test_aPauseStopsEverythingAndEndsByItself() public {
        vm.prank(tenant);
        escrow.announceWithdrawal(1 ether);
        vm.warp(GENESIS + 1 + 3 days);
        vm.prank(guardian);
        escrow.pause();
        uint64 until = escrow.pausedUntil();
        vm.assertEq(until, GENESIS + 1 + 5 days, "bounded");
        bytes memory paused = abi.encodeWithSelector(ExpiringPause.IsPaused.selector, until);
        vm.startPrank(tenant);
        vm.expectRevert(paused);
        escrow.deposit(tenant, 1 ether);
        vm.expectRevert(paused);
        escrow.withdraw();
        vm.stopPrank();
        vm.startPrank(settler);
        vm.expectRevert(paused);
        escrow.refund(tenant, 1 ether, "closed");
        vm.expectRevert(paused);
        escrow.settle(BATCH, "root", 1, CHARGED, _debits(1));
        vm.stopPrank();
        vm.expectRevert(paused);
        escrow.claim(Payout(BATCH, 0, provider, 1), new bytes32[](0));
        vm.warp(until);
        vm.prank(tenant);
        escrow.withdraw();
        vm.prank(guardian);
        vm.expectRevert(abi.encodeWithSelector(ExpiringPause.PausedRecently.selector, until + 2 days));
        escrow.pause();
        vm.warp(until + 2 days);
        vm.prank(guardian);
        escrow.pause();
        asTimelock(address(escrow), abi.encodeCall(ExpiringPause.resume, ()));
        vm.prank(tenant);
        escrow.deposit(tenant, 1 ether);
    }

    function testFuzz_rolesAreNeeded(address caller) public {
        vm.assume(caller != settler && caller != guardian && caller != address(timelock));
        vm.startPrank(caller);
        vm.expectRevert(_unauthorized(caller, escrow.SETTLER_ROLE()));
        escrow.settle(BATCH, "root", 1, CHARGED, new Debit[](0));
        vm.expectRevert(_unauthorized(caller, escrow.SETTLER_ROLE()));
        escrow.refund(tenant, 1, "closed");
        vm.expectRevert(_unauthorized(caller, escrow.GUARDIAN_ROLE()));
        escrow.pause();
        vm.expectRevert(_unauthorized(caller, 0));
        escrow.resume();
        vm.expectRevert(_unauthorized(caller, 0));
        escrow.upgradeToAndCall(address(this), "");
        vm.expectRevert(_unauthorized(caller, 0));
        escrow.payValidatorsThrough(rewards);
        vm.stopPrank();
    }

    function _deployed(Rewards through) private returns (Escrow) {
        bytes memory initialization = abi.encodeCall(
            Escrow.initialize,
            (token, parameters, address(treasury), address(timelock), settler, guardian, through)
        );
        return Escrow(address(new ERC1967Proxy(address(new Escrow()), initialization)));
    }

    function _unauthorized(address caller, bytes32 role) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, caller, role);
    }

    function _settle(bytes32 batch, Payout[] memory payouts, uint256 gross) private {
        vm.prank(settler);
        escrow.settle(batch, Tree.rootOf(payouts), (gross * 9_750) / 10_000, CHARGED, _debits(gross));
    }

    function _debits(uint256 amount) private view returns (Debit[] memory debits) {
        debits = new Debit[](1);
        debits[0] = Debit(tenant, amount);
    }

    function _payouts(uint256 net) private view returns (Payout[] memory payouts) {
        payouts = new Payout[](3);
        payouts[0] = Payout(BATCH, 0, provider, net / 3);
        payouts[1] = Payout(BATCH, 1, another, net / 3);
        payouts[2] = Payout(BATCH, 2, provider, net - 2 * (net / 3));
    }
}
